import assert from 'node:assert/strict';
import test from 'node:test';
import { parseBackendLoads } from '../../coordinator/sources/backend-loads.ts';
import { isBerthError } from '../../shared/errors.ts';
import { parseReply } from '../../shared/haproxy/reply-reader.ts';

const columns =
  'pxname,svname,qcur,scur,stot,econ,eresp,type,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,req_tot,rtime,mode,status';
const parse = (...rows: string[]) => parseBackendLoads(parseReply(`# ${[columns, ...rows].join('\n')}\n`));

test("the queue is the backend's own and that of its servers; frontends and listeners count for nothing", () => {
  const loads = parse(
    'app,FRONTEND,,9,9,,,0,9,0,0,0,9,,http',
    'app,sock-1,,9,9,,,3,,,,,,,',
    'app,s1,2,5,100,0,0,2,90,0,0,10,100,7,http',
    'app,s2,1,5,100,0,0,2,90,0,0,10,100,7,http',
    'app,BACKEND,4,17,200,0,0,1,170,5,5,20,200,7,http',
    'other,BACKEND,0,0,0,0,0,1,0,0,0,0,0,0,http',
  );
  assert.deepEqual([...loads.keys()], ['app', 'other']);
  assert.deepEqual(loads.get('app'), {
    mode: 'http',
    sessions: 17,
    queue: 7,
    responseTimeMs: 7,
    counters: { requests: 200, answers: 200, failed: 20 },
  });
});

test('a backend in tcp mode counts connections', () => {
  const load = parse('db,s1,0,1,10,0,0,2,,,,,,0,tcp', 'db,BACKEND,0,1,10,2,1,1,,,,,,0,tcp').get('db');
  assert.deepEqual(load?.counters, { requests: 10, answers: 10, failed: 3 });
});

test('columns are found by their names, and one that is missing is an error, never 0', () => {
  const isBad = (error: unknown) => isBerthError(error, 'haproxy.bad-reply');
  assert.throws(() => parseBackendLoads(parseReply('# pxname,svname,scur\napp,BACKEND,1\n')), isBad);
  assert.throws(() => parse('app,BACKEND,4,x,200,0,0,1,170,5,5,20,many,7,http'), isBad);
  assert.throws(() => parse('app,BACKEND,4'), isBad);
  assert.throws(() => parseBackendLoads(parseReply('')), isBad);
  assert.throws(() => parseBackendLoads(parseReply('<html>')), isBad);
  assert.throws(
    () => parseBackendLoads(parseReply('Permission denied')),
    (error) => isBerthError(error, 'haproxy.permission-denied'),
  );
});
