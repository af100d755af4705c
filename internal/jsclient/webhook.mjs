// A receiver of webhooks that verifies them by what fal documents, with Node's
// own cryptography.
import assert from "node:assert/strict";
import { createHash, createPublicKey, verify } from "node:crypto";
import { createServer } from "node:http";

export default async function ({ address, fal, client, check }) {
  const keys = (await (await fetch(`${address}/rest.fal.ai/.well-known/jwks.json`)).json()).keys;
  const calls = [];
  let told;
  const server = createServer((request, response) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
      response.writeHead(calls.length === 0 ? 500 : 200).end(); // the first is not acknowledged
      calls.push({ body: Buffer.concat(parts), headers: request.headers, url: request.url });
      told?.();
    });
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const webhookUrl = `http://127.0.0.1:${server.address().port}/hook?order=17`;

  const verified = ({ body, headers }) => {
    const h = (name) => headers[`x-fal-webhook-${name}`];
    assert.ok(Math.abs(Date.now() / 1000 - Number(h("timestamp"))) <= 300);
    const message = [h("request-id"), h("user-id"), h("timestamp"), createHash("sha256").update(body).digest("hex")].join("\n");
    return keys.some(({ x }) => {
      const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
      return verify(null, Buffer.from(message), key, Buffer.from(h("signature"), "hex"));
    });
  };
  const received = async (n) => {
    while (calls.length < n) await new Promise((resolve) => (told = resolve));
    return calls[n - 1];
  };

  await check("webhook, called until it is acknowledged", async () => {
    const { request_id: requestId } = await fal.queue.submit("fal-ai/flux/schnell", { input: { prompt: "x" }, webhookUrl });
    await received(1);
    const call = await received(2);
    assert.ok(verified(call), "the signature is not valid");
    assert.equal(call.url, "/hook?order=17");
    const event = JSON.parse(call.body);
    assert.equal(event.request_id, requestId);
    assert.equal(event.status, "OK");
    assert.ok(event.payload.images[0].url);
    call.body[10] ^= 1;
    assert.ok(!verified(call), "a changed body is valid");
  });
  await check("webhook of a failure", async () => {
    await client({ fault: "content-policy" }).queue.submit("fal-ai/flux/schnell", { input: { prompt: "x" }, webhookUrl });
    const event = JSON.parse((await received(3)).body);
    assert.equal(event.status, "ERROR");
    assert.equal(event.payload.detail[0].type, "content_policy_violation");
  });
  server.close();
}
