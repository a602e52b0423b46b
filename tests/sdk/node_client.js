// Makes calls with Adobe's SDK for Node: reads one JSON object a line, writes one line with what came of it.
// The first line is {"create": options}; all others are {"call": "getOffers" | "sendNotifications", "options": {…}}.
// Every host that was asked for is reported, and none but this machine is ever reached.
"use strict";

const readline = require("node:readline");

let hosts = [];
const reach = globalThis.fetch;
globalThis.fetch = (address, options) => {
  const { host } = new URL(address);
  hosts.push(host);
  return host.startsWith("127.0.0.1:") ? reach(address, options) : Promise.reject(new Error(`${host} is off limits`));
};

const TargetClient = require("@adobe/target-nodejs-sdk");

let client;

function create(options) {
  return new Promise((resolve) => {
    client = TargetClient.create({ ...options, events: { clientReady: () => resolve({}) } });
  });
}

async function call(name, options) {
  const { response, targetCookie, targetLocationHintCookie, meta } = await client[name](options);
  return { response, targetCookie, targetLocationHintCookie, meta };
}

async function answer(line) {
  const told = JSON.parse(line);
  hosts = [];
  try {
    const done = told.create ? await create(told.create) : await call(told.call, told.options);
    return { ...done, hosts };
  } catch (error) {
    return { error: error.message, hosts };
  }
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await answer(line))}\n`);
  }
  process.exit(0); // a client that polls would keep the process alive
}

main();
