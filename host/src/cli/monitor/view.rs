//! The live view on a terminal.

use anyhow::Result;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyModifiers};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, Sparkline};
use ratatui::{DefaultTerminal, Frame};
use std::time::Duration;

use super::State;

/// The terminal while the view is on it; it is put back when this is dropped.
pub struct Screen {
    terminal: DefaultTerminal,
    rates: Vec<u64>,
}

impl Screen {
    /// Takes the terminal.
    pub fn open() -> Result<Screen> {
        Ok(Screen { terminal: ratatui::try_init()?, rates: Vec::new() })
    }

    /// Draws; whether the user wants to leave.
    pub fn draw(&mut self, state: &State) -> Result<bool> {
        self.rates.push(state.rate.round() as u64);
        if self.rates.len() > 300 {
            self.rates.remove(0);
        }
        let rates = &self.rates;
        self.terminal.draw(|frame| draw(frame, state, rates))?;
        while event::poll(Duration::ZERO)? {
            if let Event::Key(key) = event::read()? {
                let interrupt = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
                if interrupt || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// The whole view.
pub fn draw(frame: &mut Frame, state: &State, rates: &[u64]) {
    let error = u16::from(state.error.is_some());
    let [head, middle, rate, foot] = Layout::vertical([
        Constraint::Length(5),
        Constraint::Min(6),
        Constraint::Length(5),
        Constraint::Length(1 + error),
    ])
    .areas(frame.area());
    board(frame, state, head);
    let [answers, scores] = Layout::horizontal([Constraint::Percentage(40), Constraint::Percentage(60)]).areas(middle);
    last_answers(frame, state, answers);
    last_scores(frame, state, scores);
    let title = format!(" {:.1} answers/s, the last took {:.1} ms ", state.rate, state.answer_time.as_secs_f64() * 1e3);
    let width = usize::from(rate.width.saturating_sub(2));
    let data = rates.get(rates.len().saturating_sub(width)..).unwrap_or(rates);
    frame.render_widget(
        Sparkline::default().data(data).style(Style::new().fg(Color::Cyan)).block(Block::bordered().title(title)),
        rate,
    );
    let mut lines = Vec::new();
    if let Some(error) = &state.error {
        lines.push(Line::from(error.clone()).red());
    }
    lines.push(Line::from("q leaves").dim());
    frame.render_widget(Paragraph::new(lines), foot);
}

fn board(frame: &mut Frame, state: &State, area: Rect) {
    let hello = &state.hello;
    let model = match hello.model {
        Ok(hash) => Span::from(format!("{hash:08x}")).bold(),
        Err(fault) => Span::from(crate::device::in_words(fault)).red(),
    };
    let taught = state.classes.iter().filter(|class| class.taught).count();
    let mut lines = vec![Line::from(vec![
        Span::from("model "),
        model,
        Span::from(format!(
            "   {} classes, {taught} taught   other slot {}{}",
            state.classes.len(),
            hello.other.map_or("empty".into(), |hash| format!("{hash:08x}")),
            if hello.signed { "   signed models only" } else { "" }
        )),
    ])];
    if let Some(stats) = state.stats {
        let bad = stats.lost + stats.refused + state.repeats;
        let link =
            format!("{} bytes lost, {} frames refused, {} requests repeated", stats.lost, stats.refused, state.repeats);
        let link = if bad == 0 { Span::from(format!("clean: {link}")).green() } else { Span::from(link).yellow() };
        lines.push(Line::from(vec![Span::from("link  "), link]));
        let share = 100 * stats.stack_peak / stats.stack_bytes.max(1);
        lines
            .push(Line::from(format!("stack {} of {} bytes at most ({share} %)", stats.stack_peak, stats.stack_bytes)));
    }
    let title = format!(" {}, firmware {}, {:.0} s ", hello.board, hello.firmware, state.start.elapsed().as_secs_f64());
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(title)), area);
}

fn last_answers(frame: &mut Frame, state: &State, area: Rect) {
    let room = usize::from(area.height.saturating_sub(2));
    let lines: Vec<Line> = state
        .answers
        .iter()
        .rev()
        .take(room)
        .map(|answer| match &answer.truth {
            Some(truth) if *truth != answer.class => Line::from(vec![
                Span::from(format!("{:<12}", answer.class)).red(),
                Span::from(format!(" in truth {truth}")).dim(),
            ]),
            _ => Line::from(answer.class.clone()).green(),
        })
        .collect();
    let title = match state.given {
        0 => " answers ".to_string(),
        given => format!(" {given} answers, {:.1} % right ", 100.0 * state.right as f64 / given as f64),
    };
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(title)), area);
}

/// A bar a class, from the least score of all to the greatest.
fn last_scores(frame: &mut Frame, state: &State, area: Rect) {
    let mut lines = Vec::new();
    if let Some(answer) = state.answers.last() {
        let least = answer.scores.iter().copied().min().unwrap_or(0);
        let most = answer.scores.iter().copied().max().unwrap_or(0);
        let span = (i64::from(most) - i64::from(least)).max(1);
        let wide = state.classes.iter().map(|class| class.name.chars().count()).max().unwrap_or(0);
        let room = usize::from(area.width).saturating_sub(wide + 16);
        for (i, score) in answer.scores.iter().enumerate() {
            let name = state.classes.get(i).map_or("", |class| class.name.as_str());
            let length = ((i64::from(*score) - i64::from(least)) as i128 * room as i128 / i128::from(span)) as usize;
            let bar = Span::from("█".repeat(length));
            let bar = if *score == most { bar.cyan() } else { bar.dim() };
            lines.push(Line::from(vec![Span::from(format!("{name:<wide$} {score:>11} ")), bar]));
        }
    }
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(" last scores ")), area);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::monitor::Answered;
    use crate::device::{Class, Hello, Stats};
    use ratatui::{Terminal, backend::TestBackend};
    use std::time::Instant;

    /// Board, model, answers, errors and the link stand in the view, at the smallest size of terminals too.
    #[test]
    fn the_view_says_what_it_should() {
        let class = |name: &str, taught| Class { name: name.into(), seen: false, taught };
        let state = State {
            hello: Hello {
                board: "qemu-m0".into(),
                firmware: "0.1.0".into(),
                slot_bytes: 1,
                arena_bytes: 1,
                signed: true,
                model: Ok(0xf079_4aaf),
                other: None,
                taught: 1,
            },
            classes: vec![class("PEN", false), class("TRAP", true)],
            stats: Some(Stats { answers: 9, lost: 3, refused: 2, stack_peak: 1000, stack_bytes: 4000 }),
            start: Instant::now(),
            answers: vec![Answered { class: "TRAP".into(), truth: Some("PEN".into()), scores: vec![-5, 70_000] }],
            given: 1,
            right: 0,
            rate: 12.5,
            repeats: 1,
            error: Some("the cable is out".into()),
            answer_time: Duration::from_millis(3),
        };
        for (width, height) in [(80, 24), (120, 40), (20, 5), (1, 1)] {
            let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
            terminal.draw(|frame| draw(frame, &state, &[1, 2, 3])).unwrap();
            let text: String = terminal.backend().buffer().content().iter().map(|cell| cell.symbol()).collect();
            if width >= 80 {
                let expected = [
                    "qemu-m0",
                    "f0794aaf",
                    "1 taught",
                    "signed models only",
                    "3 bytes lost",
                    "in truth PEN",
                    "70000",
                    "12.5 answers/s",
                    "25 %",
                    "the cable is out",
                ];
                for part in expected {
                    assert!(text.contains(part), "{part:?} is not in {width} × {height}");
                }
            }
        }
    }
}
