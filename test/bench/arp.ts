import { availableParallelism, loadavg } from "node:os";
import { ask } from "../../native/test/prober.ts";
import { startSocket } from "../../native/test/socket-process.ts";
import { HERE_MAC, makeVethPair, type VethPair } from "../../native/test/veth-pair.ts";
import { inNetns, tryRun } from "../lab/netns.ts";
import type { Figure } from "./figure.ts";

/** The asker runs here; the other ends of the cables take their interrupts on the next CPU. */
const ASKER_CPU = 0;
/** Odd, so that the median is one of them. */
const ROUNDS = 31;
const PER_ROUND = 300;
const FEW = 10;
const MANY = 10_000;

/** The requests of one round, each sent when the one before was answered, but no more than 1000 a second. */
interface Round {
  readonly p50: number;
  readonly p99: number;
  readonly lost: number;
}

/**
 * Measures how long an ARP request waits for its answer. The limit is the kernel's own answer for addresses of its
 * interface, across a cable of the same kind. The rounds of the two alternate, and each figure is the median of its
 * rounds, so that other work on the machine hits both alike.
 *
 * Requests arrive by an interrupt on another CPU than the asker's, as from a network card. Left to itself, a veth pair
 * lets the kernel answer inside the asker's system call, which no segment does.
 */
export async function run(emit: (figure: Figure) => void): Promise<void> {
  const p99s: number[] = [];
  for (const addresses of [FEW, MANY]) {
    const pairs = [await makeVethPair(), await makeVethPair()] as const;
    try {
      const [kernel, herald] = pairs;
      for (const pair of pairs) await interruptOtherCpu(pair);
      await answerByKernel(kernel, addresses);
      await answerByHerald(herald, addresses);
      p99s.push(await measure(kernel, herald, addresses, emit));
    } finally {
      for (const pair of pairs) await pair.remove();
    }
  }
  const [limit = Number.NaN, value = Number.NaN] = p99s;
  emit({ name: `ARP answer p99, ${MANY} addresses against ${FEW}`, value, unit: "us", limit, ratio: value / limit });
}

/** Gives the p99. */
async function measure(
  kernel: VethPair,
  herald: VethPair,
  ips: number,
  emit: (figure: Figure) => void,
): Promise<number> {
  const limits: Round[] = [];
  const rounds: Round[] = [];
  for (let round = -1; round < ROUNDS; round++) {
    const limit = await measureRound(kernel, ips);
    const measured = await measureRound(herald, ips);
    if (round < 0) continue; // warms up
    limits.push(limit);
    rounds.push(measured);
  }
  const of = (all: readonly Round[], quantile: "p50" | "p99") => median(all.map((round) => round[quantile]));
  const lost = rounds.reduce((sum, round) => sum + round.lost, 0);
  for (const quantile of ["p50", "p99"] as const) {
    const value = of(rounds, quantile);
    const limit = of(limits, quantile);
    const ratio = Math.round((value / limit) * 100) / 100;
    const requests = ROUNDS * PER_ROUND;
    const load = loadavg()[0]; // of a busy machine the answers in user space feel more than the kernel's
    emit({ name: `ARP answer ${quantile}, ${ips} addresses`, value, unit: "us", limit, ratio, requests, lost, load });
  }
  return of(rounds, "p99");
}

async function measureRound(pair: VethPair, ips: number): Promise<Round> {
  const asked = await ask(pair, {
    firstIP: "10.0.0.0",
    ips,
    count: PER_ROUND,
    perSecond: 1000,
    window: 1,
    cpu: ASKER_CPU,
  });
  const sorted = asked.latenciesUs.toSorted((a, b) => a - b);
  const quantile = (q: number) => sorted[Math.ceil(sorted.length * q) - 1] ?? Number.NaN;
  return { p50: quantile(0.5), p99: quantile(0.99), lost: asked.sent - asked.answered };
}

async function answerByKernel(pair: VethPair, count: number): Promise<void> {
  await routeToAsker(pair);
  const batch = ips(count).map((ip) => `address add ${ip}/32 dev eth0\n`);
  const { code, stderr } = await tryRun(["ip", "-n", pair.here, "-batch", "-"], batch.join(""));
  if (code !== 0) throw new Error(`give the kernel ${count} addresses: ${stderr}`);
}

async function answerByHerald(pair: VethPair, count: number): Promise<void> {
  await routeToAsker(pair);
  const mac = HERE_MAC.replaceAll(":", "");
  const socket = await startSocket(
    pair,
    ips(count).map((ip) => [ip, mac]),
  );
  await socket.call({ do: "renew", validForMs: 3_600_000 });
}

async function interruptOtherCpu(pair: VethPair): Promise<void> {
  if (availableParallelism() < 2) return;
  const mask = (2 << ASKER_CPU).toString(16);
  const steering = ["sh", "-c", `echo ${mask} > /sys/class/net/eth0/queues/rx-0/rps_cpus`];
  const { code, stderr } = await tryRun(inNetns(pair.here, steering));
  if (code !== 0) throw new Error(`steer the interrupts of eth0: ${stderr}`);
}

/** The kernel answers only whom it could send to. */
async function routeToAsker(pair: VethPair): Promise<void> {
  await pair.ip("address add 198.51.100.254/24 dev eth0");
}

function ips(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
