import { Notice } from '../parts';
import { Link } from '../shell';
import { useTexts } from '../texts';
import { troubleOf, type KeyState, type Signer } from './useKeys';

/** Above the queue: why this browser cannot sign, or that it soon cannot, and where to mend it. Nothing where all is well. */
export function KeyTrouble({ keys, signer }: { readonly keys: KeyState | null; readonly signer: Signer | null }) {
  const { t, date } = useTexts();
  const trouble = keys === null ? null : troubleOf(keys, signer);
  if (trouble === null) return null;
  if (trouble.kind === 'expiring')
    return (
      <Notice kind="warn" title={t('trouble.expiring.title', { date: date(trouble.at) })}>
        <p>{t(trouble.renewing ? 'trouble.renewing' : 'trouble.expiring')} <Link to="/key">{t('queue.toKey')}</Link></p>
      </Notice>
    );
  return (
    <Notice kind={trouble.kind === 'revoked' || trouble.kind === 'lost' ? 'bad' : 'warn'} title={t('queue.noKeyTitle')}>
      <p>
        {trouble.kind === 'none' ? '' : `${t(`trouble.${trouble.kind}`, { date: trouble.kind === 'expired' ? date(trouble.at) : '' })} `}
        {t('queue.noKey')} <Link to="/key">{t('queue.toKey')}</Link>
      </p>
    </Notice>
  );
}
