/** Words for the batch system. */

/** What is asked of the batch system for a build; what is left out is the site's to say. */
export interface IBatchRequest {
  partition?: string;
  constraint?: string;
  account?: string;
  qos?: string;
  time?: string;
  cpus?: number;
  memory?: string;
  gpus?: string;
}

/** A partition (queue) of the batch system. */
export interface IPartition {
  name: string;
  default: boolean;
  up: boolean;
  longest: string;
  nodes: number;
  features: string[];
}

/** What an old request or a command's argument asks of the batch system; only fields of the right type are taken. */
export function jobOf(value: unknown): IBatchRequest | null {
  const known = ['partition', 'constraint', 'account', 'qos', 'time', 'cpus', 'memory', 'gpus'];
  const told = value && typeof value === 'object' ? Object.entries(value) : [];
  const found = told.filter(([name, each]) => known.includes(name) && (name === 'cpus' ? typeof each === 'number' : typeof each === 'string') && each);
  return found.length ? Object.fromEntries(found) : null;
}
