import { Title } from '../parts';
import { useSession } from '../session';
import { useTexts } from '../texts';

/** What one's roles are for. */
export function Home() {
  const { t } = useTexts();
  const { me } = useSession();
  return (
    <div className="narrow">
      <Title>{t('home.title')}</Title>
      <p>{t('home.lead', { name: me.display })}</p>
      <ul className="role-list">
        {me.roles.map((role) => (
          <li key={role} className="card">
            <h2>{t(`role.${role}`)}</h2>
            <p>{t(`role.${role}.can`)}</p>
          </li>
        ))}
      </ul>
    </div>
  );
}
