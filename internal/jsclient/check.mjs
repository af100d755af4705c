// How the proofs check: each by itself, and all are told.
let passed = 0;

export async function check(name, f) {
  try {
    await f();
    passed++;
    console.log(`ok   ${name}`);
  } catch (error) {
    console.log(`FAIL ${name}: ${error?.stack ?? error}`);
    process.exitCode = 1;
  }
}

export function end() {
  console.log(`${passed} passed`);
}
