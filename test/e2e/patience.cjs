// The CDK CLI looks every 2 or 5 seconds at what takes AWS minutes and the emulator less than one.
// More often than this it takes more of the processor than the deployment does.
const wait = globalThis.setTimeout;
const pauses = new Set([2000, 5000]);

globalThis.setTimeout = Object.assign(
  (call, delay, ...rest) => wait(call, pauses.has(delay) ? 400 : delay, ...rest),
  wait,
);
