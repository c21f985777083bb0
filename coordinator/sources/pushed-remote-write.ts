// Prometheus' remote write 1.0: a snappy block that holds the protobuf message prometheus.WriteRequest.
// https://prometheus.io/docs/specs/prw/remote_write_spec/
import { PbfReader } from 'pbf';
import { uncompress } from 'snappyjs';
import { BerthError } from '../../shared/errors.ts';
import type { PushedMetric } from './pushed-metrics.ts';

interface Series {
  labels: { name: string; value: string }[];
  value: number;
  at: number;
}

const maxBytes = 16 * 1024 * 1024;

/** The newest sample of each series. @throws BerthError `request.invalid` */
export function parseRemoteWrite(body: Uint8Array): PushedMetric[] {
  let series: Series[];
  try {
    series = new PbfReader(uncompress(body, maxBytes)).readFields(readRequest, []);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new BerthError('request.invalid', `the body is no remote write of Prometheus: ${why}`, { cause });
  }
  return series.flatMap(({ labels, value, at }) => {
    const name = labels.find((label) => label.name === '__name__')?.value;
    if (name === undefined || at === Number.NEGATIVE_INFINITY) return [];
    const others = labels.filter((label) => label.name !== '__name__');
    return [
      { name, labels: Object.fromEntries(others.map((label) => [label.name, label.value])), value, at },
    ];
  });
}

function readRequest(tag: number, requested: Series[], reader: PbfReader): void {
  if (tag === 1)
    requested.push(
      reader.readMessage(readSeries, { labels: [], value: Number.NaN, at: Number.NEGATIVE_INFINITY }),
    );
}

function readSeries(tag: number, series: Series, reader: PbfReader): void {
  if (tag === 1) series.labels.push(reader.readMessage(readLabel, { name: '', value: '' }));
  if (tag === 2) {
    const sample = reader.readMessage(readSample, { value: 0, at: 0 });
    if (sample.at >= series.at) Object.assign(series, sample);
  }
}

function readLabel(tag: number, label: { name: string; value: string }, reader: PbfReader): void {
  if (tag === 1) label.name = reader.readString();
  if (tag === 2) label.value = reader.readString();
}

function readSample(tag: number, sample: { value: number; at: number }, reader: PbfReader): void {
  if (tag === 1) sample.value = reader.readDouble();
  if (tag === 2) sample.at = reader.readVarint(true);
}
