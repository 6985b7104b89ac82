// A mutual-TLS client: call.js PORT CERTS
const fs = require("fs");
const https = require("https");

const [port, certs] = process.argv.slice(2);
const read = (name) => fs.readFileSync(`${certs}/${name}.pem`);
https.get({
  host: "localhost", port, path: "/node", agent: false,
  ca: read("server-ca"), cert: read("client"), key: read("client-key"),
}, (response) => response.pipe(process.stdout));
