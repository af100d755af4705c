// The official client as it is used in a web page: without a key, through the
// proxy of package fal/proxy, whose address is all that it is told.
import assert from "node:assert/strict";
import { ApiError, ValidationError, createFalClient } from "@fal-ai/client";

export default async function ({ proxy, check, fails }) {
  const sent = [];
  const client = () =>
    createFalClient({
      proxyUrl: { url: proxy, when: "always" },
      suppressLocalCredentialsWarning: true,
      retry: { maxRetries: 0 },
      fetch: (url, init) => {
        sent.push({ url: String(url), headers: new Headers(init?.headers) });
        return fetch(url, init);
      },
    });
  const fal = client();
  const input = { prompt: "a mug", image_size: { width: 320, height: 200 }, seed: 7 };

  for (const mode of ["polling", "streaming"]) {
    await check(`proxy: subscribe, ${mode}`, async () => {
      const seen = [];
      const { data, requestId } = await fal.subscribe("fal-ai/flux-2-pro", {
        input, mode, logs: true, pollInterval: 50, connectionMode: "server",
        onQueueUpdate: (update) => seen.push(update.status),
      });
      assert.match(requestId, /^[0-9a-f-]{36}$/);
      assert.equal(data.images[0].width, 320);
      assert.equal(seen.at(-1), "COMPLETED");
    });
  }
  await check("proxy: run", async () => {
    const { data } = await fal.run("fal-ai/flux/schnell", { input: { prompt: "x", num_images: 2 } });
    assert.equal(data.images.length, 2);
  });
  await check("proxy: cancel", async () => {
    const { request_id: requestId } = await fal.queue.submit("fal-ai/flux-2-pro", { input, priority: "low" });
    await fal.queue.cancel("fal-ai/flux-2-pro", { requestId });
    await fails(fal.queue.result("fal-ai/flux-2-pro", { requestId }), ApiError, 499);
  });
  await check("proxy: stream", async () => {
    const stream = await fal.stream("fal-ai/flux-lora/stream", { input: { prompt: "x" }, connectionMode: "server" });
    let events = 0;
    for await (const event of stream) {
      assert.equal(event.images.length, 1);
      events++;
    }
    assert.ok(events > 1 && (await stream.done()).images[0].url);
  });
  await check("proxy: upload of a Blob inside an input", async () => {
    const png = await (await fetch((await fal.run("fal-ai/flux/schnell", { input: { prompt: "x", output_format: "png" } })).data.images[0].url)).blob();
    const { data } = await fal.subscribe("fal-ai/flux-2-pro/edit", { input: { prompt: "@image1", image_urls: [png] }, pollInterval: 50 });
    assert.equal(data.images.length, 1);
  });
  await check("proxy: validation error", async () => {
    const error = await fails(fal.run("fal-ai/flux/schnell", { input: { prompt: "x", num_images: 9 } }), ValidationError, 422);
    assert.equal(error.getFieldErrors("num_images").length, 1);
  });
  await check("proxy: what it does not open", async () => {
    const error = await fails(fal.run("fal-ai/qwen-image", { input: { prompt: "x" } }), ApiError, 403);
    assert.match(error.message, /cannot be called/);
  });
  await check("proxy: no credentials in the page", () => {
    for (const { url, headers } of sent) {
      assert.equal(headers.get("authorization"), null, url);
    }
    // All but the upload of the file itself went to the proxy.
    assert.equal(sent.filter(({ url }) => url !== proxy).length, 1);
  });
}
