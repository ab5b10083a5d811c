/** Says what is being done and how long it takes: a line that counts on a terminal, a start and an end elsewhere. */
export async function progress(title, work) {
  const started = Date.now();
  const seconds = () => `${Math.round((Date.now() - started) / 1000)} s`;
  const live = process.stdout.isTTY && !process.env.CI;
  const line = (text) => process.stdout.write(live ? `\r\x1b[K${text}` : `${text}\n`);
  line(`${title} ...`);
  const timer = setInterval(() => line(`${title} ... ${seconds()}`), live ? 1000 : 60_000);
  try {
    const result = await work();
    line(`${title}: done in ${seconds()}`);
    return result;
  } finally {
    clearInterval(timer);
    if (live) process.stdout.write("\n");
  }
}
