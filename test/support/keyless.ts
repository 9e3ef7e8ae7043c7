// An Azure of this machine that takes tokens alone: Cosmos DB, queue, blobs and Key Vault behind TLS, and the endpoint of a managed identity.
// Needs openssl: see `haveKeyless`. The emulators' own keys are known here, and given to nobody.
import process from "node:process";
import tls from "node:tls";
import { BlobServiceClient } from "@azure/storage-blob";
import { QueueServiceClient } from "@azure/storage-queue";
import { startAzurite } from "./azurite.ts";
import { haveOpenssl, makeCertificate } from "./certificate.ts";
import { startCosmos } from "./cosmos.ts";
import { jwt, type LocalIdentity, startIdentity } from "./identity.ts";
import { type LocalKeyVault, startKeyVault, vaultHost } from "./key-vault.ts";
import { cosmosToken, startTokenFront, type TokenFront } from "./token-front.ts";

export type KeylessAzure = {
  identity: LocalIdentity;
  vault: LocalKeyVault;
  fronts: { cosmos: TokenFront; blobs: TokenFront; queue: TokenFront };
  /** What an app's settings and the platform say to a process: addresses and names, no secret but the endpoint's header. */
  env: Record<string, string>;
  /** The resources that tokens are asked for. */
  resources: { cosmos: string; storage: string; vault: string };
  stop: () => Promise<void>;
};

export const clientId = "a-fake-client-id";
const account = "devstoreaccount1";
const names = { queue: "heddle-jobs", blobs: "heddle-blobs" };

/** Whether it can be had here; says so once where it can't. */
export const haveKeyless = (): boolean => {
  const trusts = typeof tls.setDefaultCACertificates === "function";
  if (!trusts) console.warn("This Node can't be told what to trust while it runs: what needs it is skipped.");
  return haveOpenssl() && trusts;
};

/** In this process too the certificate is trusted, and its variables name the identity, until `stop`. */
export const startKeyless = async (secrets: Readonly<Record<string, string>>): Promise<KeylessAzure> => {
  const certificate = makeCertificate([vaultHost]);
  const trusted = tls.getCACertificates("default");
  tls.setDefaultCACertificates([...trusted, certificate.cert]);
  const before = { ...process.env };
  const identity = await startIdentity(jwt);
  const resources = { cosmos: "", storage: "https://storage.azure.com", vault: "https://vault.azure.net" };
  const [vault, cosmos, blobs, queue] = await Promise.all([
    startKeyVault({ secrets, certificate, accepts: (token) => identity.knows(token, resources.vault) }),
    startCosmos(),
    startAzurite("blob", certificate),
    startAzurite("queue", certificate),
  ]);
  const [container] = await Promise.all([
    cosmos.createContainer(),
    BlobServiceClient.fromConnectionString(blobs.connectionString()).createContainer(names.blobs),
    QueueServiceClient.fromConnectionString(queue.connectionString()).createQueue(names.queue),
  ]);

  const forStorage = (token: string): boolean => identity.knows(token, resources.storage);
  const fronts: KeylessAzure["fronts"] = {
    cosmos: await startTokenFront({
      certificate,
      target: cosmos.options.endpoint,
      tokenOf: cosmosToken,
      accepts: (token) => identity.knows(token, resources.cosmos),
      // The account says where it is to be read and written: the emulator says where it is itself.
      amend: (path, text) =>
        path === "/" ? text.replaceAll(/(?<="databaseAccountEndpoint":")[^"]*/g, `${fronts.cosmos.url}/`) : undefined,
    }),
    blobs: await startTokenFront({ certificate, target: blobs.endpoint, accepts: forStorage }),
    queue: await startTokenFront({ certificate, target: queue.endpoint, accepts: forStorage }),
  };
  resources.cosmos = fronts.cosmos.url;

  const platform = { ...identity.env, AZURE_CLIENT_ID: clientId };
  Object.assign(process.env, platform);
  return {
    identity,
    vault,
    fronts,
    resources,
    env: {
      ...platform,
      ...vault.env,
      AzureWebJobsStorage__blobServiceUri: `${fronts.blobs.url}/${account}`,
      AzureWebJobsStorage__queueServiceUri: `${fronts.queue.url}/${account}`,
      AzureWebJobsStorage__credential: "managedidentity",
      AzureWebJobsStorage__clientId: clientId,
      AzureWebJobsDisableHomepage: "true",
      HEDDLE_COSMOS_ENDPOINT: fronts.cosmos.url,
      HEDDLE_COSMOS_CONTAINER: container,
      HEDDLE_QUEUE: names.queue,
      HEDDLE_BLOBS: names.blobs,
      HEDDLE_KEY_VAULT: vault.url,
    },
    stop: async () => {
      const all = [...Object.values(fronts), vault, cosmos, blobs, queue, identity];
      await Promise.all(all.map((each) => each.stop()));
      certificate.remove();
      process.env = before;
      tls.setDefaultCACertificates(trusted);
    },
  };
};
