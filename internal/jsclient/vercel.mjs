// Makes pictures with the fal provider of the Vercel AI SDK, which calls models
// directly and fetches what they made. Its own baseURL leads it to the local fal.
import assert from "node:assert/strict";
import { createFal } from "@ai-sdk/fal";
import { APICallError, generateImage } from "ai";
import { check, end } from "./check.mjs";

const [address, key] = process.argv.slice(2);
const provider = (settings) => createFal({ apiKey: key, baseURL: `${address}/fal.run`, ...settings });
const fal = provider();
const make = (model, args, from = fal) => generateImage({ model: from.image(model), prompt: "a mug", maxRetries: 0, ...args });

// made checks that there is one picture of that size and kind.
function made({ images, providerMetadata }, width, height, mediaType) {
  assert.equal(images.length, 1);
  assert.equal(images[0].mediaType, mediaType); // of its bytes
  assert.ok(images[0].uint8Array.length > 1000);
  const [told] = providerMetadata.fal.images;
  assert.deepEqual([told.width, told.height, told.contentType], [width, height, mediaType]);
}

let mug;
await check("flux/schnell, two at once", async () => {
  const { images } = await make("fal-ai/flux/schnell", { n: 2, size: "320x200", providerOptions: { fal: { outputFormat: "png" } } });
  assert.equal(images.length, 2); // of two calls, one picture each
  mug = images[0].uint8Array;
});
await check("flux-2-pro", async () => {
  const out = await make("fal-ai/flux-2-pro", { size: "640x480", seed: 7, providerOptions: { fal: { safetyTolerance: "2" } } });
  made(out, 640, 480, "image/jpeg");
  assert.match(out.responses[0].headers["x-fal-request-id"], /^[0-9a-f-]{36}$/);
});
await check("qwen-image-2512", async () => {
  made(await make("fal-ai/qwen-image-2512", { aspectRatio: "16:9", providerOptions: { fal: { numInferenceSteps: 12 } } }), 1024, 576, "image/png");
});
await check("flux-2-pro/edit, two pictures", async () => {
  const prompt = { text: "@image1 beside @image2", images: [mug, mug] };
  made(await make("fal-ai/flux-2-pro/edit", { prompt, size: "512x512", providerOptions: { fal: { useMultipleImages: true } } }), 512, 512, "image/jpeg");
});
await check("qwen-image-edit, one picture", async () => {
  const prompt = { text: "a blue mug", images: [mug] };
  made(await make("fal-ai/qwen-image-edit", { prompt, size: "320x200", providerOptions: { fal: { guidanceScale: 4 } } }), 320, 200, "image/png");
});

await check("bad input", async () => {
  const error = await make("fal-ai/flux/schnell", { providerOptions: { fal: { numInferenceSteps: 50 } } }).catch((e) => e);
  assert.ok(APICallError.isInstance(error), error);
  assert.equal(error.statusCode, 422);
  assert.match(error.message, /^body\.num_inference_steps: /);
  assert.equal(error.isRetryable, false);
});
await check("bad key", async () => {
  const error = await make("fal-ai/flux/schnell", {}, provider({ apiKey: "other:key" })).catch((e) => e);
  assert.ok(APICallError.isInstance(error), error);
  assert.equal(error.statusCode, 401);
});
await check("too many, and again", async () => {
  const error = await make("fal-ai/flux/schnell", {}, provider({ headers: { "x-faltest-fault": "too-many" } })).catch((e) => e);
  assert.equal(error.statusCode, 429);
  assert.equal(error.isRetryable, true);
});
end();
