import { useTexts } from '../texts';
import type { QueueLine } from './queueModel';

/** Whose it is, where the doctor has it in another one's place, and that it waits too long. */
export function InPlaceOf({ line }: { readonly line: Pick<QueueLine, 'for' | 'overdue'> }) {
  const { t, date } = useTexts();
  const { for: home, overdue } = line;
  return (
    <>
      {home !== null && (
        <span className="tag warn long">
          {home.why === 'Waited' ? t('because.waited', { name: home.name }) : home.until === null ? t('because.absentOver', { name: home.name }) : t('because.absent', { name: home.name, until: date(new Date(home.until).getTime() - 1) })}
        </span>
      )}
      {overdue && <span className="tag warn">{t('because.overdue')}</span>}
    </>
  );
}
