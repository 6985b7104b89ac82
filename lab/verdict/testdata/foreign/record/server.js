// A server that wants a client certificate, as the documentation of Node.js has it.
const fs = require('fs');
const env = process.env;
const answer = (request, response) => {
  response.writeHead(Number(env.STATUS), { Connection: 'close' });
  response.end('hello\n');
};
if (env.SILENT) {
  require('net').createServer(() => {}).listen(443, '127.0.0.1');
} else if (env.PLAIN) {
  require('http').createServer(answer).listen(443, '127.0.0.1');
} else {
  const versions = env.VERSIONS.split(' ').map((v) => 'TLSv' + v);
  const options = {
    cert: fs.readFileSync(env.CHAIN), key: fs.readFileSync(env.KEY), ca: fs.readFileSync(env.CA),
    requestCert: env.ASK === 'on', rejectUnauthorized: true,
    minVersion: versions[0], maxVersion: versions[versions.length - 1],
  };
  if (env.CRL) options.crl = fs.readFileSync(env.CRL);
  if (env.SUITE) {
    options.ciphers = env.SUITE.replace('TLS_ECDHE_', 'ECDHE-').replace('_WITH_AES_', '-AES').replace('_GCM_', '-GCM-');
  }
  const server = require('https').createServer(options, answer);
  server.on('tlsClientError', (error) => console.log('node:', error.message, error.code));
  server.listen(443, '127.0.0.1');
}
