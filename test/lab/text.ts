import type { UdpReport } from "./probe.ts";

/** Lays rows out under their headings. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [headings, ...rows];
  const widths = headings.map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** Says what a UDP probe found, in one or two lines. */
export function shortUdpReport(report: UdpReport): string {
  const pods = report.pods.map((pod) => `${pod.pod} saw ${pod.source} (${pod.answers})`).join(", ") || "nobody";
  const lost = report.lost === 0 ? "none lost" : `${report.lost} lost, longest outage ${ms(report.longestOutageMs)}`;
  const roundTrip = report.answered === 0 ? "" : `, round trip ${report.rttP50Ms.toFixed(2)} ms (median)`;
  return `${report.sent} sent, ${lost}${roundTrip}; answered by ${pods}`;
}

/** Formats milliseconds for a person. */
export function ms(value: number): string {
  return value >= 10_000 ? `${(value / 1000).toFixed(1)} s` : `${Math.round(value)} ms`;
}
