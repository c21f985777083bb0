// What the files that add commands are given: how a command is made, and how its outcome becomes an exit code.
import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseDuration } from '../../shared/duration.ts';
import { ApiClient, apiOptions, type Environment } from './api-client.ts';
import { exitCodes } from './exit-codes.ts';
import type { Listing } from './list-commands.ts';
import type { Format, Output } from './output.ts';

/** The options of every command that asks the coordinator. */
export interface Common {
  url?: string;
  output: Format;
}

export class CommandContext {
  readonly program: Command;
  readonly env: Environment;
  readonly output: Output;
  readonly finish: (code: number) => void;

  constructor(program: Command, env: Environment, output: Output, finish: (code: number) => void) {
    this.program = program;
    this.env = env;
    this.output = output;
    this.finish = finish;
  }

  /** A command; `example` is shown below its help. */
  add(name: string, description: string, example: string, parent = this.program): Command {
    return parent
      .command(name, { isDefault: name === 'list' })
      .description(description)
      .addHelpText('after', `\nExample:\n  ${example.replaceAll('\n', '\n  ')}`);
  }

  /** The same with a choice of the output's form. */
  addShown(name: string, description: string, example: string, parent = this.program): Command {
    return this.add(name, description, example, parent).addOption(outputOption());
  }

  /** The same for one that asks the coordinator. */
  addClient(name: string, description: string, example: string, parent = this.program): Command {
    return this.addShown(name, description, example, parent).addOption(urlOption());
  }

  /** A group of commands: without one of them `list` is run. */
  addGroup(name: string, description: string): Command {
    return this.program.command(name).description(description);
  }

  api({ url }: { url?: string }): ApiClient {
    return new ApiClient(apiOptions(url, this.env));
  }

  listing(common: Common): Listing {
    return { api: this.api(common), output: this.output, format: common.output };
  }

  judge(fine: boolean): void {
    this.finish(fine ? exitCodes.ok : exitCodes.failed);
  }

  /** Who asks, for the audit. */
  get user(): string {
    return this.env['USER'] || 'operator';
  }
}

export function urlOption(): Option {
  return new Option('--url <url>', 'address of the coordinator (BERTH_URL, else this machine)');
}

export function outputOption(formats: readonly string[] = ['table', 'json']): Option {
  return new Option('-o, --output <format>', 'how to write').choices(formats).default('table');
}

export function wholeNumber(text: string): number {
  const value = /^\d{1,7}$/.test(text) ? Number(text) : 0;
  if (value < 1) throw new InvalidArgumentError('Give a whole number from 1 on.');
  return value;
}

export function count(text: string): number {
  if (!/^\d{1,7}$/.test(text)) throw new InvalidArgumentError('Give a whole number from 0 on.');
  return Number(text);
}

export function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0) || !Number.isFinite(value)) throw new InvalidArgumentError('Give a number above 0.');
  return value;
}

/** The text as it is: the API takes it so. */
export function durationText(text: string): string {
  milliseconds(text);
  return text;
}

export function milliseconds(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined || ms <= 0) throw new InvalidArgumentError('Give a duration such as 90s, 30m or 2h.');
  return ms;
}
