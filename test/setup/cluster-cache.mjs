// Where the cluster's binaries are kept. Plain JavaScript for old Nodes: it runs before anything is installed.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const MODULE = new URL("../cluster/", import.meta.url);

/** What is kept between checkouts. */
export const HERALD_CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "herald");

/** The binaries and the Go packages that they are built from; test/cluster/go.mod pins the versions. */
export const BINARIES = {
  gobgp: "github.com/osrg/gobgp/v4/cmd/gobgp",
  gobgpd: "github.com/osrg/gobgp/v4/cmd/gobgpd",
  kubectl: "k8s.io/kubernetes/cmd/kubectl",
  etcd: "go.etcd.io/etcd/server/v3",
  "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
  "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
  "kube-proxy": "k8s.io/kubernetes/cmd/kube-proxy",
};

/** Gives the folder of the binaries that go.mod and go.sum ask for now; each is there only when it is complete. */
export function clusterCache() {
  const hash = createHash("sha256");
  for (const file of ["go.mod", "go.sum"]) hash.update(readFileSync(new URL(file, MODULE)));
  return join(HERALD_CACHE, "cluster", hash.digest("hex").slice(0, 16));
}
