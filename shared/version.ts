// The version of the program. build.ts writes package.json's into the bundles; run from source it is `development`.

declare const BERTH_VERSION: string | undefined;

export const version: string = typeof BERTH_VERSION === 'string' ? BERTH_VERSION : 'development';
