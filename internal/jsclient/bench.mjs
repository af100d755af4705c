// A client of internal/bench: the official one, unmodified, does the task that is
// given as JSON and tells what it took.
import { openAsBlob, readFileSync } from "node:fs";
import { createFalClient } from "@fal-ai/client";
import { redirected } from "./redirect.mjs";

const task = JSON.parse(process.argv[2]);
const fal = createFalClient({ credentials: process.argv[3], fetch: redirected(task.URL), suppressLocalCredentialsWarning: true });
const now = () => performance.timeOrigin + performance.now();
const input = { prompt: "a mug", seed: 7 };

const kinds = {
  subscribe: () => fal.subscribe("fal-ai/flux-2-pro", { input, mode: task.Client }),
  upload: async () => fal.storage.upload(await openAsBlob(task.File, { type: "application/zip" })),
  inline: () => fal.run("bench/inline", { input }),
};
const MS = [];
if (!task.Cold) await kinds.subscribe();
const began = now();
if (task.Kind === "stream") {
  const stream = await fal.stream("bench/ticks/stream", { input: { events: task.Jobs } });
  stream.on("data", (event) => MS.push(now() - event.sent)); // its for await takes one each 16 ms
  await stream.done();
} else {
  let left = task.Jobs;
  const one = async () => {
    while (left-- > 0) {
      const start = now();
      await kinds[task.Kind]();
      MS.push(now() - start);
    }
  };
  await Promise.all(Array.from({ length: Math.min(task.InFlight, task.Jobs) }, one));
}
const All = now() - began;
const status = process.platform === "linux" ? readFileSync("/proc/self/status", "utf8") : "";
const PeakKiB = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0);
process.stdout.write(JSON.stringify({ MS, All, PeakKiB }));
