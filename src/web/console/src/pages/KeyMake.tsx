import { useEffect, useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { keepsKeys, makeKey, probeStorage, type StoredKey } from '@bridge/shared/keys';
import { Notice } from '../parts';
import { useTexts, type TextKey } from '../texts';

type Step = 'idle' | 'working' | 'at-risk' | 'lost' | 'failed';

/**
 * Makes a signing key in this browser, after finding out whether the browser will keep it. Where it keeps nothing that is said before anything is made; where it
 * gives no promise, the doctor decides.
 */
export function KeyMake({ owner, title, why, made }: { readonly owner: string; readonly title: TextKey; readonly why: TextKey | null; readonly made: (key: StoredKey) => Promise<void> }) {
  const { t } = useTexts();
  const [step, setStep] = useState<Step>('idle');
  useEffect(() => {
    let current = true;
    void keepsKeys().then((keeps) => {
      if (current && !keeps) setStep('lost');
    });
    return () => {
      current = false;
    };
  }, []);

  const make = async (accepted: boolean) => {
    setStep('working');
    try {
      const kept = await probeStorage();
      if (kept === 'LOST' || (kept === 'AT_RISK' && !accepted)) {
        setStep(kept === 'LOST' ? 'lost' : 'at-risk');
        return;
      }
      await made(await makeKey(owner));
      setStep('idle');
    } catch {
      setStep('failed');
    }
  };

  return (
    <section className="card stack" aria-labelledby="make">
      <h2 id="make">{t(title)}</h2>
      {why !== null && <p>{t(why)}</p>}
      {step !== 'lost' && (
        <ol className="steps">
          <li>{t('key.step1')}</li>
          <li>{t('key.step2')}</li>
          <li>{t('key.step3')}</li>
        </ol>
      )}
      {step === 'failed' && <Notice kind="bad" live><p>{t('key.failed')}</p></Notice>}
      {step === 'lost' ? (
        <Notice kind="bad" title={t('key.noStorage')} live>
          <p>{t('key.noStorageText')}</p>
          <Button className="button" onPress={() => void make(false)}>{t('tryAgain')}</Button>
        </Notice>
      ) : step === 'at-risk' ? (
        <Notice kind="warn" title={t('key.atRisk')} live>
          <p>{t('key.atRiskText')}</p>
          <div className="row">
            <Button className="button primary" onPress={() => void make(true)}>{t('key.makeAnyway')}</Button>
            <Button className="button" onPress={() => setStep('idle')}>{t('cancel')}</Button>
          </div>
        </Notice>
      ) : (
        <div>
          <Button className="button primary" isDisabled={step === 'working'} onPress={() => void make(false)}>{t('key.makeButton')}</Button>
        </div>
      )}
    </section>
  );
}
