// Starts the product and a TLS proxy in front of it, because the product listens on plain HTTP only. docker/CONTRACT.md lists
// the environment variables. It has not been run yet: see vendor.toml.
'use strict';

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const tls = require('node:tls');

const name = process.env.SERVER_NAME;
if (!name) {
  console.error('rocketchat-product: SERVER_NAME has to be set; see docker/CONTRACT.md');
  process.exit(1);
}

const product = spawn(process.execPath, ['main.js'], {
  cwd: '/app/bundle',
  stdio: 'inherit',
  env: {
    ...process.env,
    ROOT_URL: `https://${name}`,
    OVERWRITE_SETTING_Federation_Service_Domain: name,
    NODE_EXTRA_CA_CERTS: '/samklang/ca.crt',
  },
});
product.on('exit', (code) => process.exit(code ?? 1));
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => product.kill(signal));

const certificate = { cert: fs.readFileSync('/samklang/tls/cert.pem'), key: fs.readFileSync('/samklang/tls/key.pem') };
tls
  .createServer(certificate, (outside) => {
    const inside = net.connect(Number(process.env.PORT), '127.0.0.1');
    const end = () => (outside.destroy(), inside.destroy());
    outside.on('error', end).on('close', end);
    inside.on('error', end).on('close', end);
    outside.pipe(inside).pipe(outside);
  })
  .listen(8448, '0.0.0.0');
