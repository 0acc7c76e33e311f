/** What the server says of requests that staff prepared. */

/** The JSON Schema of one parameter. */
export interface IParameter {
  type?: 'string' | 'boolean' | 'integer' | 'number';
  title?: string;
  description?: string;
  enum?: unknown[];
  default?: unknown;
  minimum?: number;
}

/** A request that staff prepared. */
export interface IPreset {
  name: string;
  title: string;
  description: string;
  parameters: { properties?: Record<string, IParameter> };
  /** Why it can not be used; empty if it can. */
  message: string;
}
