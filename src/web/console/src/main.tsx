import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import '@bridge/shared/tokens.css';
import './styles/base.css';
import './styles/shell.css';
import './styles/queue.css';
import './styles/desk.css';
import './styles/operations.css';
import { App } from './app';
import { TextProvider } from './texts';

const root = document.getElementById('app');
if (root !== null)
  createRoot(root).render(
    <StrictMode>
      <TextProvider>
        <App />
      </TextProvider>
    </StrictMode>,
  );
