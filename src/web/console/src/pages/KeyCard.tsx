import { useId, useState } from 'react';
import { Button } from 'react-aria-components/Button';
import type { StoredKey } from '@bridge/shared/keys';
import { Notice, Said } from '../parts';
import { useTexts } from '../texts';
import type { Certificate } from './useKeys';

type Asked = 'none' | 'lost' | 'revoke';

/** One of the doctor's certificates: where its key is, what it is good for, and how it ends. */
export function KeyCard({ certificate, stored, newer, lost, revoke, drop }: {
  readonly certificate: Certificate;
  /** Its key, where this browser has it. */
  readonly stored: StoredKey | undefined;
  /** True where a newer key of this browser has taken its place. */
  readonly newer: boolean;
  readonly lost: () => void;
  readonly revoke: (key: StoredKey) => void;
  readonly drop: (key: StoredKey) => void;
}) {
  const { t, date, time } = useTexts();
  const [asked, setAsked] = useState<Asked>('none');
  const name = useId();
  const { standing } = certificate;
  const alive = standing === 'Active' || standing === 'Pending';
  return (
    <li className="card stack tight" aria-labelledby={name}>
      <div className="row">
        <strong id={name}>{certificate.name}</strong>
        <span className={`tag ${standing === 'Active' ? 'good' : standing === 'Pending' ? 'warn' : 'bad'}`}>{t(`standing.${standing}`)}</span>
        <span className="tag">{t(stored === undefined ? 'key.elsewhere' : 'key.here')}</span>
        {certificate.expiring && standing === 'Active' && <span className="tag warn">{t('key.endsSoon')}</span>}
      </div>
      <p className="soft small">{t('key.until', { date: date(certificate.notAfter) })} · {t('key.certificate')} <code>{certificate.thumbprint.slice(0, 12)}</code></p>
      {standing === 'Active' && newer && <p>{t('key.replaced')}</p>}
      {standing === 'Revoked' && <p>{t('key.revokedText')} {certificate.revokedBecause !== null && <>{t('key.because')} <Said text={certificate.revokedBecause} /></>}</p>}
      {standing === 'Lost' && <p>{t('key.lostSince', { time: time(certificate.lostAt ?? 0) })}</p>}
      {asked !== 'none' ? (
        <Notice kind="warn" title={t(`key.${asked}.title`)} live>
          <p>{t(`key.${asked}.text`)}</p>
          <div className="row">
            <Button className="button danger small" onPress={() => {
              setAsked('none');
              if (asked === 'lost') lost();
              else if (stored !== undefined) revoke(stored);
            }}>{t(`key.${asked}.button`)}</Button>
            <Button className="button small" onPress={() => setAsked('none')}>{t('cancel')}</Button>
          </div>
        </Notice>
      ) : (
        <div className="row">
          {alive && <Button className="button small" onPress={() => setAsked('lost')}>{t('key.lost')}</Button>}
          {stored !== undefined && (alive || standing === 'Lost') && <Button className="button small" onPress={() => setAsked('revoke')}>{t('key.revoke')}</Button>}
          {stored !== undefined && (standing === 'Revoked' || standing === 'Expired') && <Button className="button small" onPress={() => drop(stored)}>{t('key.drop')}</Button>}
        </div>
      )}
    </li>
  );
}
