/** For control-plane.test.ts: starts a control plane, says what it is made of, and waits to be killed. */
import { startControlPlane } from "./control-plane.ts";

const plane = await startControlPlane();
const pids = [plane.pid("etcd"), plane.pid("kube-apiserver")];
process.stdout.write(`${JSON.stringify({ pids, directory: plane.directory })}\n`);
setInterval(() => {}, 1000);
