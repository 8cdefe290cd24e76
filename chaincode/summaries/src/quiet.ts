/** Levels at which the shim prints no argument, key or result. Errors hold refusals, which name no patient. */
const quietest = ['ERROR', 'WARNING'];

// Loaded before anything else of the contract: the libraries log while they load. A quieter level that the operator chose stays.
const chosen = process.env['CORE_CHAINCODE_LOGGING_LEVEL']?.toUpperCase() ?? '';
const level = quietest.includes(chosen) ? chosen : 'ERROR';
process.env['CORE_CHAINCODE_LOGGING_LEVEL'] = level;
for (const logger of ['fabric-shim/lib/logger', 'fabric-contract-api/lib/logger']) (require(logger) as { setLevel: (name: string) => void }).setLevel(level);

export {};
