// A client in Node.js: call.js verify|nothing URL CA
const fs = require('fs');
const https = require('https');

const [how, url, ca] = process.argv.slice(2);
https.get(url, {ca: fs.readFileSync(ca), rejectUnauthorized: how === 'verify', agent: false, timeout: 20000}, (response) => {
  response.resume();
}).on('timeout', () => process.exit(3)).on('error', (error) => {
  console.error(error.message);
  process.exit(1);
});
