import { version } from './version.js';

export const details = `Details of version ${version}`;
