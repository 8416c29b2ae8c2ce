import { parentPort, workerData, isMainThread } from 'node:worker_threads';
import fs from 'node:fs';
const v = await Promise.resolve(workerData * 2);
parentPort.postMessage([v, isMainThread, typeof fs.readFileSync, import.meta.url.split('/').pop()]);
