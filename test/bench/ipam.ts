import { loadavg } from "node:os";
import type { IP } from "../../src/ipam/addresses.ts";
import type { Assignment, Demand } from "../../src/ipam/demand.ts";
import type { PoolObject } from "../../src/ipam/pool.ts";
import { Book, demand, pool } from "../unit/address-world.ts";
import type { Benchmark, Figure } from "./figure.ts";

const SERVICES = 10_000;
/** Of 10 000 assignments, one after the other. */
const LIMIT_MS = 100;
/** Odd, so that the median is one of them. */
const ROUNDS = 9;
/** Operations of a round where a single one is too short for the clock. */
const REPEATS = 501;
const NOW = Date.UTC(2026, 0, 1);
const WHOLE_16 = 65_536;
const WAITING = 1000;

/** Measures the address book alone: what the controller's decisions cost, without an API server. */
export const run: Benchmark = async (emit, size = SERVICES) => {
  const services = Array.from({ length: size }, (_, index) => service(index));
  for (const scenario of scenarios(size)) {
    const demands = services.map((service, index) => ({ ...service, ...scenario.more?.(index) }));
    const value = medianOf(() => {
      const book = new Book(world(scenario.pools), NOW);
      return () => {
        for (const demand of demands) book.put(demand, NOW);
        return () => expectCount(book, "Assigned", size);
      };
    });
    emit(figure(`assign ${size} Services, ${scenario.name}`, value, (LIMIT_MS * size) / SERVICES));
  }
  measureRestart(emit, services);
  measureOne(emit, services);
  measureEdit(emit, services);
  measureFull(emit);
};

interface Scenario {
  readonly name: string;
  readonly pools: readonly PoolObject[];
  /** What the Service of that index has besides. */
  readonly more?: (index: number) => Partial<Demand>;
}

function scenarios(size: number): readonly Scenario[] {
  const perPool = Math.ceil(size / 100);
  const dual = { families: ["IPv4", "IPv6"], policy: "RequireDualStack" } as const;
  return [
    { name: "a pool of an IPv4 /16", pools: [pool("one", ["10.0.0.0/16"])] },
    {
      name: "100 pools that are just big enough",
      pools: Array.from({ length: 100 }, (_, n) =>
        pool(`p${n}`, [`10.${n}.0.1-10.${n}.${perPool >> 8}.${perPool & 255}`]),
      ),
    },
    {
      name: "10 to an address by sharing keys",
      pools: [pool("one", ["10.0.0.0/16"])],
      more: (index) => ({
        sharing: {
          key: `key-${Math.floor(index / 10)}`,
          ports: [`TCP/${8000 + (index % 10)}`],
          policy: "Cluster",
          selector: "",
          namespaces: [],
        },
      }),
    },
    {
      name: "a pool of an IPv6 /64",
      pools: [pool("one", ["2001:db8::/64"])],
      more: () => ({ families: ["IPv6"] }),
    },
    { name: "dual stack", pools: [pool("one", ["10.0.0.0/16", "2001:db8::/64"])], more: () => dual },
  ];
}

/** A book that takes up what everybody holds already, as on a start of the controller. */
function measureRestart(emit: (figure: Figure) => void, services: readonly Demand[]): void {
  const held = services.map((service, index) => holding(service, index));
  const pools = [pool("one", ["10.0.0.0/16"])];
  const value = medianOf(() => () => {
    const book = new Book(world(pools, held), NOW);
    return () => expectCount(book, "Assigned", held.length);
  });
  emit(figure(`take up ${held.length} holders`, value));
}

/** One Service more, and then away again, with few and with many present. */
function measureOne(emit: (figure: Figure) => void, services: readonly Demand[]): void {
  const pools = [pool("one", ["10.0.0.0/16"])];
  const books = [100, services.length].map((present) => ({
    present,
    book: new Book(world(pools, services.slice(0, present)), NOW),
  }));
  const more = Array.from({ length: REPEATS }, (_, index) => service(1_000_000 + index));
  let few: number | undefined;
  for (const { present, book } of books) {
    const total = medianOf(() => () => {
      for (const one of more) {
        book.put(one, NOW);
        book.remove(one.key, NOW);
      }
    });
    const value = (total.ms / REPEATS) * 1000;
    emit({
      name: `assign one and free it, ${present} present`,
      value,
      unit: "us",
      ...againstFew(value, few),
      load: load(),
    });
    few ??= value;
  }
}

function againstFew(value: number, few: number | undefined): { limit?: number; ratio?: number } {
  return few === undefined ? {} : { limit: few, ratio: value / few };
}

/** A pool that many hold addresses of gets another priority. */
function measureEdit(emit: (figure: Figure) => void, services: readonly Demand[]): void {
  const before = pool("one", ["10.0.0.0/16"]);
  const after = { ...before, spec: { ...before.spec, priority: 10 } };
  let concerned = 0;
  const value = medianOf(() => {
    const book = new Book(world([before], services), NOW);
    return () => {
      concerned = book.putPool(after, NOW).length;
    };
  });
  emit({ ...figure(`edit the priority of a pool with ${services.length} holders`, value), concerned });
}

/** A pool of which every address is held, with Services that wait for it. */
function measureFull(emit: (figure: Figure) => void): void {
  const holders = Array.from({ length: WHOLE_16 }, (_, index) => holding(service(index), index));
  const waiting = Array.from({ length: WAITING }, (_, index) => service(WHOLE_16 + index));
  const pools = [pool("one", ["10.0.0.0/16"])];
  const book = new Book(world(pools, holders), NOW);
  const arrived = timed(() => {
    for (const one of waiting) book.put(one, NOW);
  });
  expectCount(book, "PoolExhausted", WAITING);
  emit(figure(`${WAITING} Services come to a full /16 and wait`, arrived));
  const said = timed(() => {
    for (const { key } of waiting) book.outcome(key);
  });
  emit(figure(`say of ${WAITING} why they wait`, said));
  const [freed, served]: [Took[], number[]] = [[], []];
  for (const { key } of holders.slice(0, REPEATS)) {
    let concerned: readonly string[] = [];
    freed.push(timed(() => (concerned = book.remove(key, NOW))));
    served.push(concerned.length);
  }
  expectCount(book, "PoolExhausted", WAITING - REPEATS);
  const [value, concerned] = [median(freed.map(({ ms }) => ms)) * 1000, median(served)];
  emit({ name: `free one address of a full /16, ${WAITING} waiting`, value, unit: "us", concerned, load: load() });
}

function figure(name: string, { ms, cpuMs }: Took, limit?: number): Figure {
  return { name, value: ms, unit: "ms", ...(limit !== undefined && { limit, ratio: ms / limit }), cpuMs, load: load() };
}

function load(): number {
  return loadavg()[0] ?? Number.NaN;
}

function world(pools: readonly PoolObject[], demands: readonly Demand[] = []) {
  const namespaces = new Map([["default", {}]]);
  return { pools, namespaces, demands, strangers: [] };
}

function service(index: number): Demand {
  const name = `web-${index}`;
  return demand(`default/${name}`, { labels: { app: name }, createdAt: NOW + index });
}

/** The Service as it is when Herald has written that it holds the address of that index. */
function holding(service: Demand, index: number): Demand {
  const ips: readonly IP[] = [{ family: "IPv4", value: BigInt((10 << 24) + index) }];
  const record: Assignment = { pool: "one", ips, at: NOW + index };
  return { ...service, status: ips, record };
}

function expectCount(book: Book, reason: string, count: number): void {
  const found = book.census().get(reason) ?? 0;
  if (found !== count) throw new Error(`${found} Services are ${reason}, not ${count}`);
}

/** By the clock, and by the CPU time of the thread: what others on the machine take is the difference. */
interface Took {
  readonly ms: number;
  readonly cpuMs: number;
}

/** The median of some rounds after one that warms up. Only the work that `prepare` gives is measured, not its check. */
function medianOf(prepare: () => () => undefined | (() => void)): Took {
  const rounds = Array.from({ length: ROUNDS + 1 }, () => {
    const work = prepare();
    let check: undefined | (() => void);
    const took = timed(() => {
      check = work();
    });
    check?.();
    return took;
  }).slice(1);
  return { ms: median(rounds.map(({ ms }) => ms)), cpuMs: median(rounds.map(({ cpuMs }) => cpuMs)) };
}

function timed(work: () => void): Took {
  const [started, cpu] = [performance.now(), process.threadCpuUsage()];
  work();
  const ms = performance.now() - started;
  const { user, system } = process.threadCpuUsage(cpu);
  return { ms, cpuMs: (user + system) / 1000 };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
