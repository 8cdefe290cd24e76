// Loaded before the contract: when the dev ledger is gone, however it went, its end of this pipe closes and the contract goes too.
'use strict';
process.stdin.on('end', () => process.exit(0));
process.stdin.on('error', () => process.exit(0));
process.stdin.resume();
process.stdin.unref?.();
