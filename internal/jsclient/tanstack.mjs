// Makes pictures with TanStack AI's fal adapter, which goes through the queue
// with the official client. Its own fetch option leads it to the local fal.
import assert from "node:assert/strict";
import { generateImage } from "@tanstack/ai";
import { falImage } from "@tanstack/ai-fal";
import { check, end } from "./check.mjs";
import { redirected } from "./redirect.mjs";

const [address, key] = process.argv.slice(2);
const make = (model, args, { apiKey = key, fault } = {}) =>
  generateImage({ adapter: falImage(model, { apiKey, fetch: redirected(address, fault) }), prompt: "a mug", debug: false, ...args });

// made checks that so many pictures came, can be fetched, and what was billed.
async function made({ id, images, usage }, count, mediaType, units) {
  assert.match(id, /^[0-9a-f-]{36}$/);
  assert.equal(images.length, count);
  assert.equal(usage.unitsBilled, units);
  for (const { url } of images) {
    const picture = await fetch(url);
    assert.equal(picture.headers.get("content-type"), mediaType);
    assert.ok((await picture.arrayBuffer()).byteLength > 1000);
  }
  return images[0].url;
}

let mug;
await check("flux/schnell, two at once", async () => {
  mug = await made(await make("fal-ai/flux/schnell", { numberOfImages: 2, size: "square", modelOptions: { output_format: "png" } }), 2, "image/png", 2);
});
await check("flux-pro/v1.1-ultra, by its ratio", async () => {
  await made(await make("fal-ai/flux-pro/v1.1-ultra", { size: "21:9" }), 1, "image/jpeg", 1);
});
await check("qwen-image", async () => {
  await made(await make("fal-ai/qwen-image", { size: "landscape_4_3", modelOptions: { seed: 7 } }), 1, "image/png", 1);
});
await check("flux-2-pro/edit, two pictures", async () => {
  const content = Buffer.from(await (await fetch(mug)).arrayBuffer()).toString("base64");
  const prompt = [
    { type: "text", content: "@image1 beside @image2" },
    { type: "image", source: { type: "url", value: mug } },
    { type: "image", source: { type: "data", value: content, mimeType: "image/png" } },
  ];
  await made(await make("fal-ai/flux-2-pro/edit", { prompt, size: "square_hd" }), 1, "image/jpeg", 2);
});
await check("qwen-image-edit, one picture", async () => {
  const prompt = [{ type: "text", content: "a blue mug" }, { type: "image", source: { type: "url", value: mug } }];
  await made(await make("fal-ai/qwen-image-edit", { prompt }), 1, "image/png", 1);
});

await check("bad input", async () => {
  const error = await make("fal-ai/flux/schnell", { modelOptions: { num_inference_steps: 50 } }).catch((e) => e);
  assert.equal(error.status, 422);
  assert.equal(error.body.detail[0].loc.at(-1), "num_inference_steps");
});
await check("a model that failed", async () => {
  const error = await make("fal-ai/flux/schnell", {}, { fault: "content-policy" }).catch((e) => e);
  assert.equal(error.body.detail[0].type, "content_policy_violation");
});
await check("bad key", async () => {
  assert.equal((await make("fal-ai/flux/schnell", {}, { apiKey: "other:key" }).catch((e) => e)).status, 401);
});
end();
