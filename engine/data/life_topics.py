"""What clients of the embedded corpus say about their daily life, in their own words.

All phrases were written for this project.
"""

from __future__ import annotations

from engine.data.topic import Topic

LIFE_TOPICS = (
    Topic(
        name="work",
        subjects=("work", "the job"),
        situations=(
            "I work through every weekend",
            "my boss shouts at me in meetings",
            "I lost my job in March",
            "I cry in the car before work",
            "I was passed over for the promotion again",
            "I answer emails until midnight",
        ),
        barriers=(
            "I cannot afford to quit",
            "I never learned to say no",
            "the team would fall apart without me",
            "nobody answers my applications",
            "I am afraid of being replaced",
            "the mortgage has to be paid",
        ),
        goals=(
            "be home for dinner",
            "find work that I believe in",
            "leave on time twice a week",
            "stand up for myself",
            "look forward to Mondays again",
            "start my own little shop",
        ),
        strengths=("I asked for a day off and got it", "I trained three new people this year"),
        advice=("talk to your boss", "update your resume", "turn off your email at night"),
    ),
    Topic(
        name="loneliness",
        subjects=("being on my own", "the silence at home"),
        situations=(
            "I moved here and know nobody",
            "I eat alone every evening",
            "I have hardly spoken to anyone this week",
            "my husband died last winter",
            "my best friend stopped calling",
            "the house is empty since the kids left",
        ),
        barriers=(
            "I never know what to say",
            "everyone seems to have friends already",
            "I cancel at the last minute",
            "I do not want to be a burden",
            "talking to strangers exhausts me",
            "I am afraid of being turned away",
        ),
        goals=(
            "have someone to laugh with",
            "call my brother again",
            "feel part of something",
            "invite people over for dinner",
            "find one real friend",
            "sing in a choir again",
        ),
        strengths=("I talked to my neighbour yesterday", "I used to be a loyal friend"),
        advice=("join a club", "call an old friend", "volunteer somewhere"),
    ),
    Topic(
        name="caregiving",
        subjects=("caring for my parents", "the caregiving"),
        situations=(
            "I look after my mother day and night",
            "my father does not know my name any more",
            "my brother leaves all the care to me",
            "I gave up my job to nurse my mother",
            "I shouted at my mother yesterday",
            "I have not had a day off since May",
        ),
        barriers=(
            "my mother refuses help from strangers",
            "I promised never to use a home",
            "there is nobody to take over",
            "I feel selfish when I rest",
            "we cannot pay for a nurse",
            "the forms are too much for me",
        ),
        goals=(
            "have one evening to myself",
            "be patient with my parents again",
            "share the load with my brother",
            "see my own friends again",
            "be family again and not a nurse",
            "take a short holiday",
        ),
        strengths=("I found a day centre nearby", "I let a friend take over once"),
        advice=("ask for respite care", "talk to your brother", "see a social worker"),
    ),
    Topic(
        name="screens",
        subjects=("the games", "my screen time"),
        situations=(
            "I play online until sunrise",
            "I check my phone hundreds of times a day",
            "I bet on games and lost my savings",
            "I failed two exams because of gaming",
            "I scroll through dinner with my family",
            "I spend my rent on apps",
        ),
        barriers=(
            "all my friends are in the game",
            "it is the only place where I am good",
            "my hand picks it up by itself",
            "I always hope to win it back",
            "real life seems so grey beside it",
            "I need the phone for work",
        ),
        goals=(
            "pass my exams this term",
            "pay back what I owe",
            "read a book to the end",
            "be present with my kids",
            "go to bed before midnight",
            "get my old hobbies back",
        ),
        strengths=("I deleted one app on Sunday", "I left my phone at home for a walk"),
        advice=("set a time limit", "delete the app", "keep the phone out of the bedroom"),
    ),
)
