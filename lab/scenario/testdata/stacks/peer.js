// One TLS connection, from either end: peer.js client|server HOST PORT VERSION TRUST CRLS [CERT KEY]
// It looks at CRLs, of the whole chain, if there are any in TRUST.
const fs = require('fs')
const https = require('https')
const [role, host, port, version, trust, , cert, key] = process.argv.slice(2)
const options = { ca: fs.readFileSync(trust), minVersion: 'TLSv' + version, maxVersion: 'TLSv' + version }
if (options.ca.includes('X509 CRL')) options.crl = options.ca
if (cert) Object.assign(options, { cert: fs.readFileSync(cert), key: fs.readFileSync(key) })
if (version === '1.1') options.ciphers = 'DEFAULT@SECLEVEL=0'
if (role === 'client') {
  const name = /^[\d.:]+$/.test(host) ? {} : { servername: host } // no address may be there
  https.get({ ...options, ...name, host: '127.0.0.1', port, agent: false,
    checkServerIdentity: (_, presented) => require('tls').checkServerIdentity(host, presented) }, r => r.resume())
} else {
  const server = https.createServer({ ...options, requestCert: true, rejectUnauthorized: true }, (_, r) => {
    r.setHeader('Connection', 'close')
    r.end()
    server.close()
  })
  server.on('tlsClientError', e => { throw e })
  server.listen(0, '127.0.0.1', () => console.log('listening on', server.address().port))
}
