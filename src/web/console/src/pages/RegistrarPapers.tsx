import { useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { get, Unreachable, type Outcome } from '../api';
import { Notice } from '../parts';
import { useTexts } from '../texts';
import { download } from './Key';

interface Papers extends Outcome {
  readonly statement: string;
  readonly certificate: string;
  readonly record: string;
}

/** What is carried to another hospital's registrar for the second confirmation, or to one's own machine for a revocation, and what is typed there. */
export function RegistrarPapers({ handle, name, pending }: { readonly handle: string; readonly name: string; readonly pending: boolean }) {
  const { t } = useTexts();
  const [papers, setPapers] = useState<Papers | null>(null);
  const [failed, setFailed] = useState(false);
  const load = () => {
    setFailed(false);
    get<Papers>(`/api/doctors/${handle}/papers`).then(setPapers, (fault: unknown) => {
      if (!(fault instanceof Unreachable)) throw fault;
      setFailed(true);
    });
  };
  const file = `doctor-${handle.slice(0, 8)}`;
  return (
    <details onToggle={(event) => { if (event.currentTarget.open && papers === null) load(); }}>
      <summary aria-label={t(pending ? 'papers.confirmOf' : 'papers.revokeOf', { name })}>{t(pending ? 'papers.confirm' : 'papers.revoke')}</summary>
      <div className="stack tight papers">
        <p>{t(pending ? 'papers.confirmText' : 'papers.revokeText')}</p>
        {failed && <Notice kind="bad" live><p>{t('unreachable.text')}</p></Notice>}
        {papers !== null && (
          <>
            <div className="row">
              <Button className="button small" onPress={() => download(`${file}.statement.jws`, `${papers.statement}\n`)}>{t('papers.statement')}</Button>
              {pending && <Button className="button small" onPress={() => download(`${file}.cert.pem`, papers.certificate)}>{t('papers.certificate')}</Button>}
              {pending && <Button className="button small" onPress={() => download('record.json', papers.record)}>{t('papers.record')}</Button>}
            </div>
            <pre className="commands" tabIndex={0}>{pending ? confirm(file) : revoke(file)}</pre>
          </>
        )}
      </div>
    </details>
  );
}

/** The same in every language: what is typed. */
const confirm = (file: string): string =>
  [
    `bridge registrar confirm --statement ${file}.statement.jws --certificate ${file}.cert.pem --record record.json \\`,
    `  --key registrar.key.pem --signer registrar.cert.pem --out ${file}.confirmation.jws`,
  ].join('\n');
const revoke = (file: string): string =>
  [
    `bridge registrar revoke --statement ${file}.statement.jws --reason key-lost \\`,
    `  --key registrar.key.pem --signer registrar.cert.pem --out ${file}.revocation.jws`,
  ].join('\n');
