// The script of TestWire with the official client, one step after the other. The
// steps and what they send are those of wire_test.go; which one begins is told to
// the server before it does.
import { readFile } from "node:fs/promises";
import { createFalClient } from "@fal-ai/client";
import { redirected } from "./redirect.mjs";

const [address, key, folder] = process.argv.slice(2);
const client = (fault) =>
  createFalClient({ credentials: key, fetch: redirected(address, fault), suppressLocalCredentialsWarning: true, retry: { baseDelay: 10 } });
const fal = client();
const file = async (name, type) => new File([await readFile(`${folder}/${name}`)], name, { type });
const mug = await file("mug.png", "image/png");
const hook = "https://example.com/fal?order=17";
const rest = (ms) => new Promise((done) => setTimeout(done, ms));
const picture = "https://example.com/a.png";
const failed = () => {};

const steps = {
  run: () => fal.run("fal-ai/flux/schnell", { input: { prompt: "a mug, “blue” & <new>", image_size: { width: 320, height: 200 }, num_images: 2, seed: 7 } }),
  "run with options": () =>
    fal.run("fal-ai/flux-2-pro", { input: { prompt: "a mug" }, startTimeout: 30, storageSettings: { expiresIn: "1h" } }),
  subscribe: () => fal.subscribe("fal-ai/flux-2-pro", { mode: "streaming", logs: true, input: { prompt: "a mug", image_size: "square_hd" } }),
  submit: () =>
    fal.queue.submit("fal-ai/qwen-image", {
      input: { prompt: "a mug", negative_prompt: "", guidance_scale: 2.5 }, webhookUrl: hook, priority: "low", hint: "warm", startTimeout: 30,
      storageSettings: { expiresIn: 3600 },
    }),
  "status and result": async () => {
    const { request_id: requestId } = await fal.queue.submit("fal-ai/flux-pro/kontext", { input: { prompt: "a blue mug", image_url: picture, aspect_ratio: "1:1" } });
    await rest(300);
    await fal.queue.status("fal-ai/flux-pro/kontext", { requestId, logs: true });
    await fal.queue.result("fal-ai/flux-pro/kontext", { requestId });
  },
  cancel: async () => {
    const { request_id: requestId } = await fal.queue.submit("fal-ai/flux-2/klein/9b/edit", { input: { prompt: "a mug", image_urls: [picture] } });
    await fal.queue.cancel("fal-ai/flux-2/klein/9b/edit", { requestId });
  },
  stream: async () => {
    const stream = await fal.stream("fal-ai/flux-lora/stream", { input: { prompt: "a mug", loras: [{ path: "https://example.com/a.safetensors", scale: 0.8 }] } });
    await stream.done();
  },
  "a picture in an input": () => fal.run("fal-ai/flux-2-pro/edit", { input: { prompt: "@image1", image_urls: [mug] } }),
  upload: () => fal.storage.upload(mug),
  "upload in parts": async () => fal.storage.upload(await file("training.zip", "application/zip")),
  realtime: () =>
    new Promise((resolve, reject) => {
      const connection = fal.realtime.connect("fal-ai/flux-2/klein/realtime", {
        maxBuffering: 2, tokenExpirationSeconds: 120,
        onResult: () => { connection.close(); resolve(); },
        onError: (error) => { connection.close(); reject(error); },
      });
      connection.send({ prompt: "oil", image_url: "data:image/png;base64," + Buffer.from(pixels).toString("base64") });
    }),
  "bad input": () => fal.run("fal-ai/flux/schnell", { input: { prompt: "a mug", num_inference_steps: 50 } }).catch(failed),
  "too many at once": () => client("too-many").run("fal-ai/flux/schnell", { input: { prompt: "a mug" } }).catch(failed),
  "a lost answer": () => client("lost-answer").queue.submit("fal-ai/flux-2-pro", { input: { prompt: "a mug" } }).catch(failed),
  "an error of the gateway": () => client("error-page").queue.submit("fal-ai/flux-2-pro", { input: { prompt: "a mug" } }).catch(failed),
};

// The client has no option for the address of a session.
const Real = globalThis.WebSocket;
globalThis.WebSocket = class extends Real {
  constructor(url) {
    super(url.replace(/^wss:\/\//, `${address.replace(/^http/, "ws")}/`));
  }
};
const pixels = await readFile(`${folder}/mug.png`);

for (const [name, step] of Object.entries(steps)) {
  await fetch(`${address}/step/${encodeURIComponent(name)}`);
  await step();
}
