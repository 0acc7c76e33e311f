/** The REST interface, one method a route; see docs/reference/rest.md. */
import { ServerConnection } from '@jupyterlab/services';
import { IRequestOptions, request } from './request';
import type {
  IActivation,
  ICreateRequest,
  IEnvironment,
  IEnvironmentDetail,
  IKernel,
  ILogPart,
  IOperation,
  IPackage,
  ISite,
  ITrashItem
} from './tokens';

export class Api {
  /** The server's clock minus ours in milliseconds: durations are counted on the server's. */
  clock = 0;

  constructor(readonly settings: ServerConnection.ISettings) {}

  site(): Promise<ISite> {
    return this.send('GET', ['site']);
  }

  environments(): Promise<IEnvironment[]> {
    return this.send('GET', ['environments']);
  }

  environment(id: string): Promise<IEnvironmentDetail> {
    return this.send('GET', ['environments', id]);
  }

  /** The same key and the same request give the same operation, however often they are sent. */
  create(body: ICreateRequest, key: string): Promise<IOperation> {
    return this.send('POST', ['environments'], { body, headers: { 'Idempotency-Key': key } });
  }

  delete(id: string, force = false): Promise<ITrashItem> {
    return this.send('DELETE', ['environments', id], force ? { query: { force: 1 } } : {});
  }

  activation(id: string, dialect = ''): Promise<IActivation> {
    return this.send('GET', ['environments', id, 'activation'], dialect ? { query: { dialect } } : {});
  }

  packages(id: string): Promise<IPackage[]> {
    return this.send('GET', ['environments', id, 'packages']);
  }

  publish(id: string, kernel: IKernel): Promise<IKernel> {
    return this.send('PUT', ['environments', id, 'kernels', kernel.name], { body: { display_name: kernel.display_name } });
  }

  unpublish(id: string, kernel: string): Promise<null> {
    return this.send('DELETE', ['environments', id, 'kernels', kernel]);
  }

  trash(): Promise<ITrashItem[]> {
    return this.send('GET', ['trash']);
  }

  restore(id: string): Promise<IEnvironmentDetail> {
    return this.send('POST', ['trash', id, 'restore']);
  }

  operations(): Promise<IOperation[]> {
    return this.send('GET', ['operations']);
  }

  operation(id: string): Promise<IOperation> {
    return this.send('GET', ['operations', id]);
  }

  log(id: string, offset: number): Promise<ILogPart> {
    return this.send('GET', ['operations', id, 'log'], { query: { offset } });
  }

  cancel(id: string): Promise<IOperation> {
    return this.send('POST', ['operations', id, 'cancel']);
  }

  forget(id: string): Promise<null> {
    return this.send('DELETE', ['operations', id]);
  }

  private send<T>(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string[], options: IRequestOptions = {}): Promise<T> {
    return request<T>(this.settings, method, path, {
      ...options,
      onClock: offset => {
        this.clock = offset;
      }
    });
  }
}
