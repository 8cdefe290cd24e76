import './quiet';
import { SummariesContract } from './contract';
import { guardErrors } from './host';

guardErrors();

export const contracts = [SummariesContract];
