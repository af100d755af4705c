// Uploads a file with the official client and prints the milliseconds it took,
// those of the processor, and the peak of its memory in MiB.
import { openAsBlob } from "node:fs";
import { createFalClient } from "@fal-ai/client";
import { redirected } from "./redirect.mjs";

const [address, key, path] = process.argv.slice(2);
const fal = createFalClient({ credentials: key, fetch: redirected(address), suppressLocalCredentialsWarning: true });
await fal.storage.upload(new Blob(["warm"], { type: "text/plain" }));
const [start, cpu] = [performance.now(), process.cpuUsage()];
await fal.storage.upload(await openAsBlob(path, { type: "application/zip" }));
const took = performance.now() - start;
const { user, system } = process.cpuUsage(cpu);
console.log(took.toFixed(1), ((user + system) / 1000).toFixed(1), (process.resourceUsage().maxRSS / 1024).toFixed(0));
