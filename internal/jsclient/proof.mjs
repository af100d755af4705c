// Drives the local fal with the official client. The client is unmodified: its
// own fetch option leads fal's hosts to the address given as argument.
import assert from "node:assert/strict";
import { ApiError, ValidationError, createFalClient } from "@fal-ai/client";
import { check, end } from "./check.mjs";
import proveProxy from "./proxy.mjs";
import { redirected } from "./redirect.mjs";
import proveWebhook from "./webhook.mjs";

const [address, key, proxy] = process.argv.slice(2);

function client({ credentials = key, fault } = {}) {
  return createFalClient({ credentials, fetch: redirected(address, fault), suppressLocalCredentialsWarning: true, retry: { maxRetries: 0 } });
}

async function fails(promise, kind, status) {
  let error;
  try {
    await promise;
  } catch (e) {
    error = e;
  }
  assert.ok(error instanceof kind, `want ${kind.name}, got ${error}`);
  assert.equal(error.status, status);
  return error;
}

const fal = client();
const input = { prompt: "a mug", image_size: { width: 320, height: 200 }, seed: 7 };

for (const mode of ["polling", "streaming"]) {
  await check(`subscribe, ${mode}`, async () => {
    const seen = [];
    const { data, requestId } = await fal.subscribe("fal-ai/flux-2-pro", {
      input, mode, logs: true, pollInterval: 50,
      onQueueUpdate: (update) => seen.push(update.status),
    });
    assert.match(requestId, /^[0-9a-f-]{36}$/);
    assert.equal(data.seed, 7);
    assert.equal(data.images[0].width, 320);
    assert.ok(seen.includes("IN_QUEUE") && seen.includes("IN_PROGRESS") && seen.at(-1) === "COMPLETED", seen.join());
    const picture = await fetch(data.images[0].url);
    assert.equal(picture.headers.get("content-type"), "image/jpeg");
    assert.ok((await picture.arrayBuffer()).byteLength > 1000);
  });
}

await check("submit, status, result", async () => {
  const { request_id: requestId } = await fal.queue.submit("fal-ai/qwen-image", { input: { prompt: "x" }, priority: "low" });
  const status = await fal.queue.status("fal-ai/qwen-image", { requestId, logs: true });
  assert.equal(status.status, "IN_QUEUE");
  assert.equal(typeof status.queue_position, "number");
  await fails(fal.queue.result("fal-ai/qwen-image", { requestId }), ApiError, 400);
  const done = await fal.queue.subscribeToStatus("fal-ai/qwen-image", { requestId, pollInterval: 50, logs: true });
  assert.equal(done.status, "COMPLETED");
  const { data } = await fal.queue.result("fal-ai/qwen-image", { requestId });
  assert.equal(data.images[0].content_type, "image/png");
  assert.equal(data.prompt, "x");
});

await check("cancel", async () => {
  const { request_id: requestId } = await fal.queue.submit("fal-ai/flux-2-pro/edit", { input: { prompt: "x", image_urls: ["https://x.example/a.png"] } });
  await fal.queue.cancel("fal-ai/flux-2-pro/edit", { requestId });
  const status = await fal.queue.status("fal-ai/flux-2-pro/edit", { requestId });
  assert.equal(status.status, "COMPLETED");
  await fails(fal.queue.result("fal-ai/flux-2-pro/edit", { requestId }), ApiError, 499);
  await fails(fal.queue.cancel("fal-ai/flux-2-pro/edit", { requestId }), ApiError, 400);
});

await check("run", async () => {
  const { data } = await fal.run("fal-ai/flux/schnell", { input: { prompt: "x", num_images: 2 } });
  assert.equal(data.images.length, 2);
});

await check("stream", async () => {
  const stream = await fal.stream("fal-ai/flux-lora/stream", { input: { prompt: "x" } });
  let events = 0;
  for await (const event of stream) {
    assert.equal(event.images.length, 1);
    events++;
  }
  const last = await stream.done();
  assert.ok(events > 1 && last.images[0].url);
});

await check("upload of a Blob inside an input", async () => {
  const png = await (await fetch((await fal.run("fal-ai/flux/schnell", { input: { prompt: "x", output_format: "png" } })).data.images[0].url)).blob();
  const { data } = await fal.subscribe("fal-ai/flux-2-pro/edit", { input: { prompt: "@image1", image_urls: [png] }, pollInterval: 50 });
  assert.equal(data.images.length, 1);
});

await check("upload in parts", async () => {
  const content = new Uint8Array(91 * 1024 * 1024).map((_, i) => i % 251);
  const url = await fal.storage.upload(new Blob([content], { type: "application/zip" }));
  const stored = new Uint8Array(await (await fetch(url)).arrayBuffer());
  assert.ok(Buffer.compare(stored, content) === 0, `${stored.length} bytes came back`);
});

await check("realtime", async () => {
  // The client has no option for the address of a session: the WebSocket of the
  // runtime is led to the local fal.
  const Real = globalThis.WebSocket;
  globalThis.WebSocket = class extends Real {
    constructor(url) {
      super(url.replace(/^wss:\/\//, `${address.replace(/^http/, "ws")}/`));
    }
  };
  const frame = "data:image/jpeg;base64," + Buffer.from(await (await fetch((await fal.run("fal-ai/flux/schnell", { input: { prompt: "x", output_format: "jpeg" } })).data.images[0].url)).arrayBuffer()).toString("base64");
  const session = (errors) => new Promise((resolve, reject) => {
    const connection = fal.realtime.connect("fal-ai/flux-2/klein/realtime", {
      maxBuffering: 2, connectionKey: `session ${errors}`,
      onResult: (result) => { connection.close(); resolve(result); },
      onError: (error) => { connection.close(); reject(error); },
    });
    connection.send({ prompt: "oil", seed: 9, image_url: frame, num_inference_steps: errors ? 99 : 3 });
  });
  const result = await session(false);
  assert.equal(result.seed, 9);
  assert.ok(result.images[0].content instanceof Uint8Array && result.images[0].content.length > 1000);
  assert.equal(result.images[0].content_type, "image/jpeg");
  await assert.rejects(session(true), ApiError);
  globalThis.WebSocket = Real;
});

await check("validation error", async () => {
  const error = await fails(fal.run("fal-ai/flux/schnell", { input: { prompt: "x", num_images: 9, nonsense: 1 } }), ValidationError, 422);
  assert.equal(error.fieldErrors.length, 1); // what the endpoint does not know is passed over
  assert.equal(error.getFieldErrors("num_images")[0].type, "less_than_equal");
});

await check("bad key", () => fails(client({ credentials: "other:key" }).run("fal-ai/flux/schnell", { input: { prompt: "x" } }), ApiError, 401));
await check("locked account", () => fails(client({ fault: "locked" }).run("fal-ai/flux/schnell", { input: { prompt: "x" } }), ApiError, 403));
await check("unknown endpoint", () => fails(fal.run("fal-ai/no-such-model", { input: { prompt: "x" } }), ApiError, 404));
await check("unknown job", () => fails(fal.queue.status("fal-ai/flux-2-pro", { requestId: "00000000-0000-0000-0000-000000000000" }), ApiError, 404));
await check("late failure", async () => {
  const { request_id: requestId } = await client({ fault: "content-policy" }).queue.submit("fal-ai/flux-2-pro", { input });
  const done = await fal.queue.subscribeToStatus("fal-ai/flux-2-pro", { requestId, pollInterval: 50 });
  assert.equal(done.status, "COMPLETED"); // and yet it failed
  const error = await fails(fal.queue.result("fal-ai/flux-2-pro", { requestId }), ValidationError, 422);
  assert.equal(error.body.detail[0].type, "content_policy_violation");
});
await check("server error", () => fails(client({ fault: "server-error" }).run("fal-ai/flux-2-pro", { input }), ApiError, 500));
await check("error page", () => fails(client({ fault: "error-page" }).run("fal-ai/flux-2-pro", { input }), ApiError, 502));
await check("too many", () => fails(client({ fault: "too-many" }).run("fal-ai/flux-2-pro", { input }), ApiError, 429));
await check("lost answer", () => assert.rejects(client({ fault: "lost-answer" }).run("fal-ai/flux-2-pro", { input })));

await proveProxy({ proxy, check, fails });
await proveWebhook({ address, fal, client, check });

end();
