// SPDX-License-Identifier: MIT
//
// node.js FOLDER [exit]: files written, listed, read, renamed and removed by hundreds of requests at
// once, and meanwhile the same files through an HTTP server and its clients in this process, so that
// libuv has its ring and its sockets in one epoll set. With `exit` the process ends in the middle.
'use strict';
const fs = require('fs');
const http = require('http');
const path = require('path');
const assert = require('assert');

const folder = process.argv[2];
const files = 200;
const name = (i) => path.join(folder, `file-${i}`);
const content = (i) => Buffer.alloc(1 + ((i * 7919) % 100000), i % 251);
const all = (work) => Promise.all(Array.from({ length: files }, (_, i) => work(i)));

function get(port, i) {
	return new Promise((resolve, reject) => {
		http.get({ host: '127.0.0.1', port, path: `/${i}`, agent: false }, (response) => {
			const chunks = [];
			response.on('data', (chunk) => chunks.push(chunk));
			response.on('end', () => resolve(Buffer.concat(chunks)));
			response.on('error', reject);
		}).on('error', reject);
	});
}

async function round(port) {
	await all((i) => fs.promises.writeFile(name(i), content(i)));
	const sizes = await all((i) => fs.promises.stat(name(i)));
	sizes.forEach((status, i) => assert.strictEqual(status.size, content(i).length));
	const [read, got] = await Promise.all([
		all((i) => fs.promises.readFile(name(i))),
		all((i) => get(port, i)),
	]);
	for (let i = 0; i < files; i++) {
		assert.ok(read[i].equals(content(i)), `file ${i}`);
		assert.ok(got[i].equals(content(i)), `reply ${i}`);
	}
	await all(async (i) => {
		const handle = await fs.promises.open(name(i), 'r+');
		await handle.write(Buffer.from('begin'), 0, 5, 0);
		await handle.datasync();
		await handle.close();
		await fs.promises.link(name(i), `${name(i)}-link`);
		await fs.promises.rename(name(i), `${name(i)}-renamed`);
	});
	const renamed = await all((i) => fs.promises.readFile(`${name(i)}-renamed`));
	renamed.forEach((data, i) => {
		assert.ok(data.subarray(5).equals(content(i).subarray(5)));
		assert.strictEqual(data.subarray(0, 5).toString(), 'begin');
	});
	await all((i) => fs.promises.unlink(`${name(i)}-link`));
	await all((i) => fs.promises.unlink(`${name(i)}-renamed`));
	await assert.rejects(fs.promises.stat(name(0)), { code: 'ENOENT' });
	assert.deepStrictEqual(await fs.promises.readdir(folder), []);
}

async function main() {
	const server = http.createServer((request, response) => {
		fs.readFile(name(Number(request.url.slice(1))), (error, data) => {
			response.writeHead(error ? 500 : 200);
			response.end(data);
		});
	});
	await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
	const port = server.address().port;
	if (process.argv[3] === 'exit') {
		await all((i) => fs.promises.writeFile(name(i), content(i)));
		all((i) => fs.promises.readFile(name(i)));
		all((i) => get(port, i).catch(() => {}));
		setImmediate(() => process.exit(3));
		return;
	}
	for (let i = 0; i < 3; i++)
		await round(port);
	server.close();
	server.closeAllConnections();
	// A child that is started has the epoll set closed and its signals reset, before its exec.
	const { execFileSync, spawn } = require('child_process');
	assert.strictEqual(execFileSync('echo', ['child']).toString(), 'child\n');
	await Promise.all(Array.from({ length: 8 }, (_, i) => new Promise((resolve, reject) => {
		const child = spawn(process.execPath, ['-e', `
			const fs = require('fs');
			const data = Buffer.alloc(5000, ${i});
			fs.promises.writeFile('${name(i)}', data)
				.then(() => fs.promises.readFile('${name(i)}'))
				.then((read) => process.exit(read.equals(data) ? 0 : 1));`],
		{ stdio: 'inherit' });
		child.on('error', reject);
		child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`child: ${code}`))));
	})));
	console.log('all is well');
}

main();
