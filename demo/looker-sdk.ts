import { Looker40SDK } from '@looker/sdk'
import { NodeTransport } from '@looker/sdk-node'
import { ApiSettings, AuthSession, type IRequestProps } from '@looker/sdk-rtl'

/** Looker's own SDK with a token from outside, as an app behind Sallyport uses it. */
class GivenToken extends AuthSession {
  readonly #token: string

  constructor(settings: ApiSettings, token: string) {
    super(settings, new NodeTransport(settings))
    this.#token = token
  }

  override isAuthenticated(): boolean {
    return true
  }

  override async getToken(): Promise<{ access_token: string }> {
    return { access_token: this.#token }
  }

  override async authenticate(props: IRequestProps): Promise<IRequestProps> {
    props.headers['authorization'] = `Bearer ${this.#token}`
    return props
  }
}

export function lookerAs(url: string, token: string): Looker40SDK {
  const settings = new ApiSettings({ base_url: url, verify_ssl: true, timeout: 30, agentTag: 'sallyport-demo' })
  return new Looker40SDK(new GivenToken(settings, token))
}
