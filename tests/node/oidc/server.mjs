// An authorisation server that this project did not write (oidc-provider), set up as a hospital's: people with roles, and an EHR whose FHIR base describes it for SMART
// launches. usage: node server.mjs [--no-end-session] ORIGIN…   prints "ready http://127.0.0.1:PORT"
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const origins = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const endsSessions = !process.argv.includes('--no-end-session');
const people = {
  iris: { name: 'Iris Keller', roles: ['clinician'], fhirUser: 'Practitioner/prac-iris' },
  nolicence: { name: 'Nora Vale', roles: ['clinician'] },
  otto: { name: 'Otto Brandt', roles: ['bridge-ops'] },
  dual: { name: 'Dua Lind', roles: ['bridge-ops', 'front-office'] },
  stranger: { name: 'Sam Stranger', roles: ['catering'] },
  foreign: { name: 'Finn Far', roles: [], fhirUser: 'https://elsewhere.example/fhir/Practitioner/prac-iris' },
  launched: { name: 'Lena Launch', fhirUser: 'Practitioner/prac-iris' },
};

const http = createServer();
await new Promise((done) => http.listen(0, '127.0.0.1', done));
const issuer = `http://127.0.0.1:${http.address().port}`;

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: 'bridge-console',
      client_secret: 'a-secret-of-the-tests',
      redirect_uris: origins.map((origin) => `${origin}/signin/callback`),
      post_logout_redirect_uris: origins.map((origin) => `${origin}/signin/left`),
      response_types: ['code'],
      grant_types: ['authorization_code'],
      token_endpoint_auth_method: 'client_secret_basic',
      id_token_signed_response_alg: 'RS256',
    },
  ],
  features: { rpInitiatedLogout: { enabled: endsSessions } },
  pkce: { required: () => true, methods: ['S256'] },
  scopes: ['openid', 'profile', 'fhirUser', 'launch'],
  claims: { openid: ['sub', 'roles'], profile: ['name'], fhirUser: ['fhirUser'] },
  conformIdTokenClaims: false,
  extraParams: ['launch', 'aud'],
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...people[id] }) }),
  cookies: { keys: ['tests-only'] },
  ttl: { Session: 600, Interaction: 600, Grant: 600, IdToken: 600, AccessToken: 600 },
});

http.on('request', (request, response) => {
  if (request.url === '/fhir/.well-known/smart-configuration') {
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify({
        issuer,
        jwks_uri: `${issuer}/jwks`,
        authorization_endpoint: `${issuer}/auth`,
        token_endpoint: `${issuer}/token`,
        capabilities: ['launch-ehr', 'sso-openid-connect', 'client-confidential-symmetric'],
        code_challenge_methods_supported: ['S256'],
      }),
    );
    return;
  }
  provider.callback()(request, response);
});
console.log(`ready ${issuer}`);
