import fc from "fast-check";
import { expect, test } from "vitest";
import { noLog } from "../log.ts";
import type { Kept } from "./resource.ts";
import { type Change, Store } from "./store.ts";

interface Thing extends Kept {
  readonly tags: readonly string[];
}

function thing(name: string, resourceVersion: number, tags: readonly string[] = [], uid = `uid-${name}`): Thing {
  return { meta: { namespace: "ns", name, uid, resourceVersion: String(resourceVersion) }, tags };
}

const byTag = { tag: (object: Thing) => object.tags };

function changesOf(store: Store<Thing>): Change<Thing>[] {
  const changes: Change<Thing>[] = [];
  store.onChange((change) => changes.push(change));
  return changes;
}

const name = fc.constantFrom("a", "b", "c", "d");
const tags = fc.array(fc.constantFrom("x", "y", "z"), { maxLength: 4 });
const step = fc.oneof(
  fc.record({ do: fc.constant("put" as const), name, tags, reborn: fc.boolean() }),
  fc.record({ do: fc.constant("remove" as const), name }),
  fc.record({
    do: fc.constant("replace" as const),
    all: fc.uniqueArray(fc.record({ name, tags }), { selector: (o) => o.name }),
  }),
);

test("indexes, lists and changes tell the same as the objects looked through one by one", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const store = new Store<Thing>(byTag);
      const model = new Map<string, Thing>();
      const heard = new Map<string, Thing>();
      store.onChange(({ key, before, after }) => {
        expect(heard.get(key)).toBe(before);
        if (after === undefined) heard.delete(key);
        else heard.set(key, after);
      });
      let version = 0;
      for (const at of steps) {
        version++;
        if (at.do === "put") {
          const object = thing(
            at.name,
            version,
            at.tags,
            at.reborn ? `uid-${version}` : model.get(`ns/${at.name}`)?.meta.uid,
          );
          store.put(object);
          model.set(`ns/${at.name}`, object);
        } else if (at.do === "remove") {
          store.remove(`ns/${at.name}`, String(version));
          model.delete(`ns/${at.name}`);
        } else {
          const all = at.all.map((o) => thing(o.name, version, o.tags));
          store.replace(all);
          model.clear();
          for (const object of all) model.set(`ns/${object.meta.name}`, object);
        }
        const want = [...model.values()].sort((a, b) => (a.meta.name < b.meta.name ? -1 : 1));
        expect(store.list()).toEqual(want);
        expect(new Map(heard)).toEqual(model);
        for (const tag of ["x", "y", "z"]) {
          expect(store.by("tag", tag)).toEqual(want.filter((object) => object.tags.includes(tag)));
        }
      }
    }),
  );
});

test("an object that was deleted and made again under its name goes, and then comes", () => {
  const store = new Store<Thing>(byTag);
  const old = thing("a", 1, ["x"], "first");
  store.replace([old]);
  const changes = changesOf(store);
  const young = thing("a", 5, ["y"], "second");
  store.replace([young]);
  expect(changes).toEqual([
    { key: "ns/a", before: old },
    { key: "ns/a", after: young },
  ]);
  expect(store.by("tag", "x")).toEqual([]);
});

test("where no uid is kept, an object that was made again under its name has changed", () => {
  const store = new Store<Thing>(byTag);
  const lean = (version: number, tags: readonly string[]): Thing => ({
    meta: { namespace: "ns", name: "a", resourceVersion: String(version) },
    tags,
  });
  const [old, young] = [lean(1, ["x"]), lean(5, ["y"])];
  store.put(old);
  const changes = changesOf(store);
  store.put(young);
  expect(changes).toEqual([{ key: "ns/a", before: old, after: young }]);
  expect([store.by("tag", "x"), store.by("tag", "y")]).toEqual([[], [young]]);
});

test("what did not change causes no change", () => {
  const store = new Store<Thing>(byTag);
  store.replace([thing("a", 1), thing("b", 2)]);
  const list = store.list();
  const changes = changesOf(store);
  store.replace([thing("a", 1), thing("b", 2)]);
  store.put(thing("a", 1));
  expect(changes).toEqual([]);
  expect(store.list()).toBe(list);
});

test("what is gone from a new list is a change with before only", () => {
  const store = new Store<Thing>(byTag);
  const gone = thing("a", 1);
  store.replace([gone, thing("b", 2)]);
  const changes = changesOf(store);
  store.replace([thing("b", 2)]);
  expect(changes).toEqual([{ key: "ns/a", before: gone }]);
});

test("the version is the newest of an object or delete event, and never goes back", () => {
  const store = new Store<Thing>();
  expect(store.version).toBe("");
  expect(store.synced).toBe(false);
  store.replace([]);
  expect(store.version).toBe("");
  expect(store.synced).toBe(true);
  store.replace([thing("a", 9), thing("b", 10), thing("c", 2)]);
  expect(store.version).toBe("10");
  store.remove("ns/a", "12");
  expect(store.version).toBe("12");
  store.remove("ns/never-there", "20");
  expect(store.version).toBe("12");
  store.replace([thing("c", 2)]);
  expect(store.version).toBe("12");
});

test("a listener that throws is logged, and the others still hear", () => {
  const logged: string[] = [];
  const store = new Store<Thing>({}, { ...noLog, error: (message) => logged.push(message) });
  store.onChange(() => {
    throw new Error("oh");
  });
  const changes = changesOf(store);
  store.put(thing("a", 1));
  expect(changes).toHaveLength(1);
  expect(logged).toHaveLength(1);
});

test("a listener stops when told, and only itself", () => {
  const store = new Store<Thing>();
  let heard = 0;
  const listener = () => heard++;
  const stop = store.onChange(listener);
  store.onChange(listener);
  store.put(thing("a", 1));
  stop();
  store.put(thing("a", 2));
  expect(heard).toBe(3);
});

test("what an index has under a value is the same array until one of it comes, changes or goes", () => {
  const store = new Store<Thing>(byTag);
  store.put(thing("a", 1, ["x"]));
  store.put(thing("b", 2, ["y"]));
  const [x, y] = [store.by("tag", "x"), store.by("tag", "y")];
  store.put(thing("b", 3, ["x", "y"]));
  expect(store.by("tag", "x").map(({ meta }) => meta.name)).toEqual(["a", "b"]);
  expect(store.by("tag", "y")).not.toBe(y);
  const both = store.by("tag", "x");
  store.put(thing("c", 4, ["z"]));
  expect(store.by("tag", "x")).toBe(both);
  store.remove("ns/b", "5");
  expect(store.by("tag", "x")).toEqual(x);
  expect(store.by("tag", "y")).toBe(store.by("tag", "none"));
});

test("an index that the store was not made with is an error, not an empty answer", () => {
  expect(() => new Store<Thing>(byTag).by("tga", "x")).toThrow("no index tga");
});
