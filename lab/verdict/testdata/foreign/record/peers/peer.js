// A server or client in Node.js; sealed.go says what the environment has.
const fs = require('fs');
const tls = require('tls');
const https = require('https');
const http2 = require('http2');
const env = process.env;
const options = {
  ca: fs.readFileSync(env.CA), minVersion: 'TLSv1.3',
  cert: env.CHAIN ? fs.readFileSync(env.CHAIN) : undefined, key: env.CHAIN ? fs.readFileSync(env.KEY) : undefined,
  crl: env.CRL ? fs.readFileSync(env.CRL) : undefined,
  ciphers: env.SUITE || undefined, ecdhCurve: env.GROUP || undefined,
};
const headers = (last) => ({ 'Content-Length': Number(env.BODY), Connection: last ? 'close' : 'keep-alive' });

function serve() {
  if (env.TICKETS === '0') options.secureOptions = require('crypto').constants.SSL_OP_NO_TICKET;
  Object.assign(options, { requestCert: env.ASK !== 'off', rejectUnauthorized: env.ASK === 'on' });
  const answer = (request, response) => { request.resume(); response.end('y'.repeat(Number(env.ANSWER))); };
  const server = env.HTTP2 ? http2.createSecureServer(options, answer) : https.createServer(options, answer);
  server.on('tlsClientError', (error) => console.log('node:', error.message));
  server.listen(Number(env.PORT), '127.0.0.1');
}

function call(session, then) {
  const to = { ...options, session, host: '127.0.0.1', port: Number(env.PORT), servername: env.NAME };
  const complain = (error) => console.log('node:', error.message);
  if (env.HTTP2) {
    const client = http2.connect(`https://${env.NAME}:${env.PORT}`, { ...to, createConnection: () => tls.connect({ ...to, ALPNProtocols: ['h2'] }) });
    client.on('error', complain);
    const request = client.request({ ':path': '/' });
    request.on('error', complain);
    request.on('end', () => client.close());
    request.resume();
    request.end();
    return;
  }
  if (env.REQUESTS === '0') {
    const quiet = tls.connect(to, () => quiet.end());
    quiet.on('error', complain);
    return;
  }
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1, ...to });
  agent.on('keylog', () => {});
  let resumed;
  const ask = (left) => {
    const request = https.request({ agent, ...to, method: env.METHOD, path: '/index.html', headers: headers(left === 1) }, (response) => {
      response.resume();
      response.on('end', () => (left > 1 ? ask(left - 1) : then && setTimeout(() => then(resumed), 50)));
    });
    request.on('socket', (socket) => socket.on('session', (s) => { resumed = s; }));
    request.on('error', complain);
    request.end('x'.repeat(Number(env.BODY)));
  };
  ask(Number(env.REQUESTS));
}

if (process.argv[2] === 'server') serve();
else call(undefined, env.RESUME ? (session) => call(session) : undefined);
