// An HTTPS server for probes. Usage: server.js MODE CERT KEY CA [CRL]
const fs = require("fs"), https = require("https");
const [mode, cert, key, ca, crl] = process.argv.slice(2);
const options = { cert: fs.readFileSync(cert), key: fs.readFileSync(key), ca: fs.readFileSync(ca) };
options.requestCert = mode !== "silent";
if (mode === "unauthorized") options.rejectUnauthorized = false;
if (crl) options.crl = fs.readFileSync(crl);
const server = https.createServer(options, (request, response) => response.end("hello"));
server.on("tlsClientError", () => {});
server.listen(0, "127.0.0.1", () => console.log("listening on " + server.address().port));
