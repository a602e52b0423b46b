// Measures Adobe's decisioning engine for Node through its public interface: one JSON document on standard input,
// {"seconds", "rounds", "cases": {name: {artifact, request}}}; one line with decisions a second on standard output.
"use strict";

const TargetDecisioningEngine = require("@adobe/target-decisioning-engine");

const WARM_UP_S = 1.5;
// A basic domain parser: the package's own, which knows the public-suffix list, takes most of the time of a decision.
const parseDomainImpl = (domain) => ({ domain, subdomain: "", topLevelDomain: "" });

async function rate(engine, request, seconds) {
  const begun = process.hrtime.bigint();
  let done = 0;
  let elapsed = 0;
  do {
    for (let at = 0; at < 10; at += 1) await engine.getOffers({ request });
    done += 10;
    elapsed = Number(process.hrtime.bigint() - begun) / 1e9;
  } while (elapsed < seconds);
  return done / elapsed;
}

async function main() {
  const chunks = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  const { seconds, rounds, cases } = JSON.parse(Buffer.concat(chunks));
  const rates = {};
  for (const [name, { artifact, request }] of Object.entries(cases)) {
    const engine = await TargetDecisioningEngine({
      client: "bench",
      organizationId: "BENCH@AdobeOrg",
      pollingInterval: 0,
      telemetryEnabled: false,
      artifactPayload: artifact,
      sendNotificationFunc: () => Promise.resolve(),
      parseDomainImpl,
    });
    await rate(engine, request, WARM_UP_S);
    rates[name] = [];
    for (let round = 0; round < rounds; round += 1) rates[name].push(await rate(engine, request, seconds));
  }
  process.stdout.write(`${JSON.stringify({ rates })}\n`);
  process.exit(0);
}

main();
