import './base.css';
import './sections.css';
