// A directory that signs people in, for tests: `oidc-provider` (certified by the OpenID Foundation) on this machine, with a page
// of two buttons. Told on its standard input, a line of JSON each; answers each line with one of its own.
//   {"issuer", "port", "client", "secret", "origins": […]}   the first line: where it is, and who asks
//   {"person": "sub", "claims": {…}}                         somebody, or what is true of them now
//   {"rotate": true}                                         new keys; the old ones are gone
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import Provider from "oidc-provider";

const HEAD = '<!doctype html><html lang="en"><title>Directory</title><link rel="icon" href="data:,">';
const people = new Map();
let directory;
let answer;

function keys() {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { keys: [{ ...privateKey.export({ format: "jwk" }), kid: randomUUID(), alg: "RS256", use: "sig" }] };
}

function open({ issuer, client, secret, origins }) {
  const provider = new Provider(issuer, {
    jwks: keys(),
    clients: [{
      client_id: client, client_secret: secret, token_endpoint_auth_method: "client_secret_basic",
      redirect_uris: origins.map((origin) => `${origin}/sign-in/with/prairie/back`),
      post_logout_redirect_uris: origins.map((origin) => `${origin}/sign-in`),
    }],
    claims: { openid: ["sub", "groups", "amr"], profile: ["name", "given_name"], email: ["email"] },
    conformIdTokenClaims: false, // name, e-mail and groups stand in the ID token, as other directories do it
    pkce: { required: () => true, methods: ["S256"] },
    features: {
      devInteractions: { enabled: false },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource(ctx, form) {
          ctx.body = `${HEAD}${form}<button form="op.logoutForm" name="logout" value="yes">Sign out</button></html>`;
        },
      },
    },
    renderError(ctx, out) { ctx.body = `${HEAD}<p>${out.error}</p></html>`; }, // its own pages would load a font from elsewhere
    cookies: { keys: [randomUUID()] },
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ sub, ...people.get(sub) }) }),
    async loadExistingGrant(ctx) { // nobody is asked what the client may know
      const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
      grant.addOIDCScope("openid profile email");
      await grant.save();
      return grant;
    },
  });
  provider.use(async (ctx, next) => {
    if (!ctx.path.startsWith("/interaction/")) return next();
    if (ctx.method === "GET") {
      ctx.type = "html";
      ctx.body = `${HEAD}<form method="post"><label>Who <input name="who"></label>
        <button name="say" value="yes">Sign in</button><button name="say" value="no">No</button></form></html>`;
      return undefined;
    }
    const form = new URLSearchParams(await new Promise((done) => {
      let text = "";
      ctx.req.on("data", (part) => { text += part; }).on("end", () => done(text));
    }));
    const result = form.get("say") === "yes" ? { login: { accountId: form.get("who"), amr: people.get(form.get("who"))?.amr } } : { error: "access_denied" };
    ctx.respond = false;
    await provider.interactionFinished(ctx.req, ctx.res, result, { mergeWithLastSubmission: false });
    return undefined;
  });
  return provider.callback();
}

for await (const line of createInterface({ input: process.stdin })) {
  const told = JSON.parse(line);
  if (told.issuer) {
    directory = told;
    answer = open(told);
    await new Promise((done) => createServer((request, response) => answer(request, response)).listen(told.port, "127.0.0.1", done));
  } else if (told.person) people.set(told.person, told.claims);
  else if (told.rotate) answer = open(directory);
  console.log(JSON.stringify({ done: true }));
}
process.exit(0);
