/** Writes a time, in milliseconds since 1970, as Kubernetes' MicroTime: RFC 3339 with six decimals. */
export function microTime(ms: number): string {
  return new Date(ms).toISOString().replace("Z", "000Z");
}
