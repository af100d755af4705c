// What leads the official client to the local fal: its own fetch option.
const hosts = ["fal.run", "queue.fal.run", "rest.fal.ai", "rest.alpha.fal.ai"];

// redirected returns a fetch that sends what is for fal's hosts to an address,
// with a fault if one is named.
export function redirected(address, fault) {
  return (input, init = {}) => {
    const url = new URL(typeof input === "string" || input instanceof URL ? input : input.url);
    let target = url.href;
    if (hosts.includes(url.hostname)) {
      const host = url.hostname === "rest.alpha.fal.ai" ? "rest.fal.ai" : url.hostname;
      target = `${address}/${host}${url.pathname}${url.search}`;
    }
    const headers = new Headers(init.headers);
    if (fault) headers.set("x-faltest-fault", fault);
    return fetch(target, { ...init, headers });
  };
}
